"""The encoders of models/ in PyTorch, with the same names in their state_dict; resnet9 has group norm."""
import torch.nn.functional as F
from torch import nn


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2 = nn.Linear(400, 120), nn.Linear(120, 84)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(3, 64, 3), nn.Conv2d(64, 128, 3), nn.Conv2d(128, 256, 3)
        self.fc1, self.fc2 = nn.Linear(1024, 128), nn.Linear(128, 256)

    def forward(self, x):
        for conv in self.conv1, self.conv2, self.conv3:
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.GroupNorm(32, c)
        self.conv2, self.bn2 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.GroupNorm(32, c)

    def forward(self, x):
        return x + F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class ResNet9(nn.Module):
    def __init__(self):
        super().__init__()
        for i, (a, b) in enumerate([(3, 64), (64, 128), (128, 256), (256, 512)], 1):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, 3, padding=1, bias=False))
            setattr(self, f"bn{i}", nn.GroupNorm(32, b))
        self.res1, self.res2 = Block(128), Block(512)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.res1(F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2))
        x = F.max_pool2d(F.relu(self.bn3(self.conv3(x))), 2)
        x = self.res2(F.max_pool2d(F.relu(self.bn4(self.conv4(x))), 2))
        return F.max_pool2d(x, 4).flatten(1)


ENCODERS = {"lenet": LeNet, "cnn": CNN, "resnet9": ResNet9}
