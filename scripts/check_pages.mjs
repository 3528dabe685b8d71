// Checks pages in a real browser: node scripts/check_pages.mjs [--shots FOLDER] PAGE.html ...
//
// Each page is opened at a width of 1200 and 390 pixels, in light and dark mode. A line is printed for every text that
// overlaps another, is cut off or is smaller than 11 pixels, for a page that is wider than the window, a table that scrolls
// without an indication, a tall row of a table, a box that is mostly empty, a text with weak contrast, and for every error in
// the console. The exit code is 1 if there is any. --shots writes a picture of each page to a folder.
//
// Chromium is controlled with the DevTools protocol over two pipes, so that only Node and Chromium are needed.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// inPage runs in the page and returns the faults of its visible parts.
function inPage() {
  const faults = [];
  const say = (what, where) => faults.push(`${what}: ${String(where).replace(/\s+/g, ' ').trim().slice(0, 80)}`);
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) say('the page is wider than the window', `${root.scrollWidth} > ${root.clientWidth}`);

  // The part of a rectangle that is visible inside the boxes around it, and the box that clips it without a scroll bar.
  const meet = (a, b) => ({ left: Math.max(a.left, b.left), right: Math.min(a.right, b.right), top: Math.max(a.top, b.top), bottom: Math.min(a.bottom, b.bottom) });
  const through = (element, rect) => {
    let visible = { left: rect.left, right: rect.right, top: rect.top, bottom: rect.bottom }, cut = null;
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.overflowX === 'visible' && style.overflowY === 'visible' || e instanceof SVGElement) continue;
      const box = e.getBoundingClientRect(), scrolls = /auto|scroll/.test(style.overflowX + style.overflowY);
      if (!scrolls && (rect.left < box.left - 1 || rect.right > box.right + 1 || rect.top < box.top - 1 || rect.bottom > box.bottom + 1)) cut = e;
      visible = meet(visible, box);
    }
    return { visible, cut };
  };

  const colour = text => {
    const canvas = colour.canvas ??= Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const backdrop = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = c => {
    const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || e.closest('style, title') || !e.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })) continue;
    const style = getComputedStyle(e);
    let size = parseFloat(style.fontSize);
    if (e instanceof SVGGraphicsElement) size *= Math.abs(e.getScreenCTM().d);
    if (size < 10.99) say(`text of ${size.toFixed(1)} pixels`, node.data);
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      if (rect.width < 1 || rect.height < 1) continue;
      const { visible, cut } = through(e, rect);
      if (cut) say(`text is cut off by ${cut.className || cut.tagName}`, node.data);
      if (rect.left < -1 || (rect.right > root.clientWidth + 1 && visible.right > root.clientWidth + 1)) say('text leaves the window', node.data);
      const box = e.closest('figure, .card, .tile');
      if (box && !e.closest('.scroll')) {
        const b = box.getBoundingClientRect();
        if (rect.left < b.left - 1 || rect.right > b.right + 1 || rect.bottom > b.bottom + 1) say('text leaves its box', node.data);
      }
      if (visible.right - visible.left > 1 && visible.bottom - visible.top > 1) texts.push({ ...visible, text: node.data, of: e, size });
    }
    if (!(e instanceof SVGElement)) {
      const c = contrast(over(colour(style.color), backdrop(e)), backdrop(e));
      if (c < 4.3) say(`contrast of ${c.toFixed(1)}`, node.data);
    }
  }
  texts.sort((a, b) => a.top - b.top);
  for (let i = 0; i < texts.length; i++) {
    const a = texts[i];
    for (let j = i + 1; j < texts.length && texts[j].top < a.bottom - 3; j++) {
      const b = texts[j];
      // A line box is taller than its letters.
      const slack = 0.22 * Math.min(a.size, b.size);
      const both = meet(a, b);
      if (a.of !== b.of && both.right - both.left > 1.5 && both.bottom - both.top > Math.max(3, slack * 2)) say('texts overlap', `“${a.text.trim()}” and “${b.text.trim()}”`);
    }
  }

  for (const s of document.querySelectorAll('.scroll')) {
    if (s.checkVisibility() && s.scrollWidth > s.clientWidth + 1 && getComputedStyle(s, '::before').display === 'none') say('a table scrolls and does not say so', s.innerText);
  }
  for (const row of document.querySelectorAll('tr')) {
    if (row.checkVisibility() && row.offsetHeight > 150 && !row.querySelector('details[open], .turned') && !row.closest('.facts')) say(`a row ${row.offsetHeight} pixels high`, row.innerText);
  }
  for (const box of document.querySelectorAll('figure, .card')) {
    if (!box.checkVisibility()) continue;
    const outer = box.getBoundingClientRect();
    let bottom = outer.top;
    for (const e of box.querySelectorAll('*')) {
      const r = e.getBoundingClientRect();
      if (e.childElementCount === 0 && r.height > 0 && r.width > 0) bottom = Math.max(bottom, r.bottom);
    }
    const empty = outer.bottom - bottom;
    if (empty > 0.5 * outer.height && empty > 120 || bottom === outer.top) say(`a box with ${Math.round(empty)} of ${Math.round(outer.height)} pixels empty`, box.innerText);
  }
  return [...new Set(faults)];
}

class Browser {
  constructor(profile) {
    const names = ['chromium', 'chromium-browser', 'google-chrome'];
    this.program = process.env.CHROMIUM || names[0];
    this.process = spawn(this.program, ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    this.waiting = new Map();
    this.heard = [];
    this.last = 0;
    let rest = '';
    this.process.stdio[4].on('data', chunk => {
      const messages = (rest + chunk).split('\0');
      rest = messages.pop();
      for (const text of messages) this.receive(JSON.parse(text));
    });
    this.failed = new Promise((_, reject) => {
      this.process.on('error', e => reject(new Error(`${this.program} cannot be started (set CHROMIUM to its path): ${e.message}`)));
      this.process.on('exit', code => reject(new Error(`${this.program} ended with code ${code}`)));
    });
    this.failed.catch(() => {});
  }
  receive(message) {
    if (message.id) {
      const { resolve, reject } = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      message.error ? reject(new Error(message.error.message)) : resolve(message.result);
      return;
    }
    this.heard = this.heard.filter(l => !l(message));
  }
  // send calls a method of the protocol.
  send(method, params = {}, sessionId) {
    const id = ++this.last;
    this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
    return Promise.race([new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject })), this.failed]);
  }
  // hear waits for an event.
  hear(method, sessionId) {
    return Promise.race([new Promise(resolve => this.heard.push(m => m.method === method && m.sessionId === sessionId && (resolve(m.params), true))), this.failed]);
  }
  close() {
    this.process.kill();
    return new Promise(resolve => this.process.on('exit', resolve));
  }
}

async function check(browser, page, width, scheme, shots) {
  const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await browser.send('Target.attachToTarget', { targetId, flatten: true });
  const call = (method, params) => browser.send(method, params, sessionId);
  const errors = [];
  browser.heard.push(m => {
    if (m.sessionId !== sessionId) return false;
    if (m.method === 'Runtime.exceptionThrown') errors.push(m.params.exceptionDetails.text);
    if (m.method === 'Log.entryAdded' && m.params.entry.level === 'error') errors.push(m.params.entry.text);
    if (m.method === 'Runtime.consoleAPICalled' && m.params.type === 'error') errors.push(JSON.stringify(m.params.args.map(a => a.value)));
    return false;
  });
  await call('Page.enable');
  await call('Runtime.enable');
  await call('Log.enable');
  await call('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: width < 500 });
  await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  const loaded = browser.hear('Page.loadEventFired', sessionId);
  const { errorText } = await call('Page.navigate', { url: pathToFileURL(resolve(page)).href });
  if (errorText) throw new Error(`${page} cannot be opened: ${errorText}`);
  await loaded;
  const run = async expression => {
    const r = await call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (r.exceptionDetails) throw new Error(r.exceptionDetails.exception?.description ?? r.exceptionDetails.text);
    return r.result.value;
  };
  const settled = 'new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))';
  await run(settled);
  const faults = await run(`(${inPage})()`);
  if (shots) {
    const height = await run('document.documentElement.scrollHeight');
    await call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 500 });
    await run(settled);
    const { data } = await call('Page.captureScreenshot', { format: 'png' });
    const name = `${basename(dirname(resolve(page)))}-${basename(page, '.html')}-${width}-${scheme}.png`;
    writeFileSync(join(shots, name), Buffer.from(data, 'base64'));
  }
  await run('document.querySelectorAll("details").forEach(d => d.open = true)');
  await run(settled);
  for (const fault of await run(`(${inPage})()`)) if (!faults.includes(fault)) faults.push(`unfolded: ${fault}`);
  await browser.send('Target.closeTarget', { targetId });
  return [...errors.map(e => `console: ${e}`), ...faults];
}

const pages = process.argv.slice(2);
let shots = null;
if (pages[0] === '--shots') {
  [, shots] = pages.splice(0, 2);
  mkdirSync(shots, { recursive: true });
}
if (!pages.length) {
  console.error('usage: node scripts/check_pages.mjs [--shots FOLDER] PAGE.html ...');
  process.exit(2);
}
const profile = mkdtempSync(join(tmpdir(), 'pages-'));
const browser = new Browser(profile);
let bad = 0;
try {
  for (const page of pages) {
    for (const width of [1200, 390]) {
      for (const scheme of ['light', 'dark']) {
        const faults = await check(browser, page, width, scheme, shots);
        for (const fault of faults.slice(0, 40)) console.log(`${page}, ${width} pixels, ${scheme}: ${fault}`);
        if (faults.length > 40) console.log(`${page}, ${width} pixels, ${scheme}: ${faults.length - 40} more`);
        bad += faults.length;
      }
    }
  }
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(bad ? `${bad} faults` : `no fault on ${pages.length} pages`);
process.exit(bad ? 1 : 0);
