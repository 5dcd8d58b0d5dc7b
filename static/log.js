// The log of a run, while one reads it. Of a long log only parts are here, with gaps between: they come as one
// scrolls to them, and what is far from the reader goes. What is printed comes to the end, which is followed for as
// long as the reader is there. All lines are asked for by their place in the log (`…/logs/lines`), and set as text
// with the server's classes for its colours, never as markup. Texts are looked for by the server (`…/logs/find`).
// Where both streams are read as one, each line has its time, in the reader's zone, and those of stderr say so.
//
// Keys: `/` find, `n` and `N` next and previous match, `f` follow, `End` the last line.

const ROWS_MAX = 8000;
const PAUSE_MS = 500;
const NEAR_PX = 24;
const AHEAD_PX = 400;

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

let log, isFollowing = false, isAsking = false, isMoreWanted = false, isMoving = false, unseen = 0, lastTop = 0;
let looking = 0, match;
begin();

document.addEventListener('otrace:output', follow);
document.addEventListener('otrace:changed', () => { begin(); follow(); });
document.addEventListener('click', pressed);
document.addEventListener('submit', (event) => {
  if (!event.target.matches('.find') || !log) return;
  event.preventDefault();
  match = undefined;
  find(1);
});
document.addEventListener('keydown', typed);
addEventListener('hashchange', goToHash);

// The page may have been replaced around the log, or with it.
function begin() {
  const found = document.querySelector('.log[data-keep]');
  const isFirst = !log;
  if (found !== log) {
    log = found;
    log?.addEventListener('scroll', noticePlace, { passive: true });
    log?.querySelectorAll('time').forEach((time) => tell(time, new Date(time.dateTime)));
    if (log && 'shownAt' in log.dataset) mark(rowAt(Number(log.dataset.shownAt)));
    else if (log && isFirst && location.hash) goToHash();
    else if (log && (isFirst ? 'next' in log.dataset : isFollowing)) goToEnd();
  }
  showUnseen();
}

function pressed(event) {
  const { target } = event;
  if (!(target instanceof Element) || !log || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const act = target.closest('[data-before], [data-after], [data-wrap], [data-to-end], .log li > a');
  if (!act) return;
  if (act.matches('[data-to-end]')) goToEnd();
  else if (act.matches('[data-wrap]')) wrap(act);
  else if (!log.contains(act)) return;
  else if (act.matches('[data-before]')) fill(act.closest('.gap'), -1);
  else if (act.matches('[data-after]')) fill(act.closest('.gap'), 1);
  else { history.replaceState(history.state, '', act.href); mark(act.parentElement); }
  event.preventDefault();
}

function typed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !log) return;
  if (document.documentElement.dataset.keys === 'off') return;
  if (event.target.closest('input, textarea, select, [contenteditable]')) return;
  const act = {
    '/': () => document.getElementById('find')?.focus(), n: () => find(1), N: () => find(-1), f: goToEnd, End: goToEnd,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function wrap(link) {
  const isSoft = log.classList.toggle('soft');
  link.toggleAttribute('aria-current', isSoft);
  if (isSoft) link.setAttribute('aria-current', 'true');
  const url = new URL(location.href);
  if (isSoft) url.searchParams.set('wrap', '1'); else url.searchParams.delete('wrap');
  history.replaceState(history.state, '', url);
}

// --- Parts and gaps ---

function lists() {
  return [...log.querySelectorAll('ol')];
}

// The list that ends where the log does, if that is here.
function tail() {
  const last = lists().at(-1);
  return last?.nextElementSibling?.matches('.gap') ? undefined : last;
}

function place(row) {
  return Number(row.dataset.at);
}

function isAtEnd() {
  return Boolean(tail()) && log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
}

function noticePlace() {
  isFollowing = isAtEnd();
  if (isFollowing && unseen) { unseen = 0; showUnseen(); }
  const way = log.scrollTop < lastTop ? -1 : 1;
  lastTop = log.scrollTop;
  if (isMoving) return;
  const { top, bottom } = log.getBoundingClientRect();
  for (const gap of log.querySelectorAll('.gap')) {
    const at = gap.getBoundingClientRect();
    if (at.bottom > top - AHEAD_PX && at.top < bottom + AHEAD_PX) { fill(gap, way); return; }
  }
}

async function ask(of, query) {
  const answer = await fetch(`${of.dataset.keep}&${query}`, { headers: { accept: 'application/json' } });
  return answer.ok && !answer.redirected ? answer.json() : undefined;
}

// Lines into a gap: at its end, or at its start.
async function fill(gap, way) {
  if (isMoving) return;
  isMoving = true;
  const of = log;
  const [from, to] = [Number(gap.dataset.from), Number(gap.dataset.to)];
  try {
    const part = await ask(of, way < 0 ? `from=${from}&before=${to}` : `after=${from}`);
    if (!part || of !== log || !gap.isConnected) return;
    stay(() => (way < 0 ? putBefore(gap, part, from) : putAfter(gap, part, to)));
  } catch {
    // Away for now: scrolling on asks again.
  } finally {
    isMoving = false;
  }
}

function putBefore(gap, part, from) {
  const list = gap.nextElementSibling?.matches('ol') ? gap.nextElementSibling : newList(gap, 'after', part.next);
  list.prepend(...rows(part));
  list.dataset.start = part.start;
  list.hidden = false;
  narrow(gap, from, part.lines.length ? part.start : from);
}

function putAfter(gap, part, to) {
  const fresh = rows(part).filter((row) => place(row) < to);
  const list = gap.previousElementSibling?.matches('ol') ? gap.previousElementSibling : newList(gap, 'before', part.start);
  const end = fresh.length < part.lines.length || !part.lines.length ? to : Math.min(part.next, to);
  list.append(...fresh);
  list.dataset.end = end;
  list.hidden = false;
  narrow(gap, end, to);
}

function newList(gap, side, at) {
  const list = document.createElement('ol');
  Object.assign(list.dataset, { start: at, end: at });
  gap[side](list);
  return list;
}

// A gap that is closed joins what is beside it, and lines whose numbers are known now get them.
function narrow(gap, from, to) {
  if (from < to) {
    Object.assign(gap.dataset, { from, to });
    gap.querySelector('[data-left-out]').textContent = size(to - from);
  } else {
    const [above, below] = [gap.previousElementSibling, gap.nextElementSibling];
    gap.remove();
    if (above?.matches('ol') && below?.matches('ol')) {
      above.append(...below.children);
      above.dataset.end = below.dataset.end;
      below.remove();
    }
  }
  lists().forEach(count);
  highlight();
}

function count(list) {
  let number = list.dataset.start === '0' ? 1 : undefined;
  for (const row of list.children) {
    const known = /^L(\d+)$/.exec(row.id);
    if (known) number = Number(known[1]);
    else if (number !== undefined) setNumber(row, number);
    if (number !== undefined) number += 1;
  }
}

function setNumber(row, number) {
  row.id = `L${number}`;
  const link = row.firstElementChild;
  link.href = `#L${number}`;
  link.removeAttribute('aria-label');
  link.textContent = number;
}

function rows(part) {
  return part.lines.map(([text, kind, styles], index) => {
    const line = document.createElement('li');
    const at = part.at[index];
    line.className = kind;
    line.id = `b${at}`;
    line.dataset.at = at;
    if (part.open && index === part.lines.length - 1) line.dataset.open = '';
    const link = document.createElement('a');
    link.href = `${log.dataset.line}${at}#b${at}`;
    link.setAttribute('aria-label', 'Link to this line');
    link.textContent = '·';
    const content = document.createElement('span');
    if (styles) content.append(...pieces(text, styles)); else content.textContent = text;
    line.append(link, ...cameOf(part.came?.[index]), content);
    return line;
  });
}

// When a line came, and on which of two streams.
function cameOf(came) {
  if (!came) return [];
  const [isStderr, millis] = came;
  const time = document.createElement('time');
  const date = new Date(millis);
  time.dateTime = date.toISOString();
  tell(time, date);
  const stream = document.createElement('small');
  stream.textContent = isStderr ? 'stderr' : '';
  return [time, stream];
}

function tell(time, date) {
  if (Number.isNaN(date.getTime())) return;
  time.textContent = clock.format(date);
  time.title = exact.format(date);
}

function pieces(text, styles) {
  let at = 0;
  return styles.map(([length, classes]) => {
    const piece = document.createElement('span');
    piece.className = classes;
    piece.textContent = text.slice(at, at += length);
    return piece;
  });
}

// What one reads stays where it is while lines come and go around it.
function stay(change) {
  const { top, left } = log.getBoundingClientRect();
  const read = [8, 40, 80, 160].map((down) => document.elementFromPoint(left + 120, Math.max(top, 0) + down)?.closest('.log li')).find((row) => row && log.contains(row));
  const before = read?.getBoundingClientRect().top;
  change();
  trim(read);
  if (read?.isConnected) log.scrollTop += read.getBoundingClientRect().top - before;
  lastTop = log.scrollTop;
}

// Too many lines: those farthest from the reader go, and leave a gap.
function trim(read) {
  const all = [...log.querySelectorAll('li')];
  const excess = all.length - ROWS_MAX;
  if (excess <= 0) return;
  const here = read ? all.indexOf(read) : isFollowing ? all.length : 0;
  if (here > all.length / 2) all.slice(0, excess).forEach(drop); else all.slice(-excess).reverse().forEach(drop);
}

function drop(row) {
  const list = row.parentElement;
  const isFirst = row === list.firstElementChild;
  const [from, to] = isFirst
    ? [place(row), row.nextElementSibling ? place(row.nextElementSibling) : Number(list.dataset.end)]
    : [place(row), Number(list.dataset.end)];
  row.remove();
  if (isFirst) {
    widen(list.previousElementSibling, list, 'before', from, to);
    list.dataset.start = to;
  } else {
    widen(list.nextElementSibling, list, 'after', from, to);
    list.dataset.end = from;
  }
  if (list.childElementCount > 0) return;
  // Two gaps with nothing between them are one.
  const [above, below] = [list.previousElementSibling, list.nextElementSibling];
  list.remove();
  if (above?.matches('.gap') && below?.matches('.gap')) {
    setGap(above, Number(above.dataset.from), Number(below.dataset.to));
    below.remove();
  }
}

function widen(beside, list, side, from, to) {
  const gap = beside?.matches('.gap') ? beside : newGap(list, side);
  setGap(gap, Math.min(from, Number(gap.dataset.from ?? from)), Math.max(to, Number(gap.dataset.to ?? to)));
}

function setGap(gap, from, to) {
  Object.assign(gap.dataset, { from, to });
  gap.querySelector('[data-left-out]').textContent = size(to - from);
}

function newGap(list, side) {
  const gap = document.createElement('p');
  gap.className = 'gap';
  const words = document.createElement('span');
  const amount = document.createElement('span');
  amount.dataset.leftOut = '';
  words.append(amount, ' are not shown.');
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: 'btn', textContent: side === 'before' ? 'Show earlier lines' : 'Show later lines' });
  button.dataset[side] = '';
  gap.append(words, button);
  list[side](gap);
  return gap;
}

function size(bytes) {
  const step = [['B', 1], ['KB', 1024], ['MB', 1024 ** 2], ['GB', 1024 ** 3]].findLast(([, one]) => bytes >= one) ?? ['B', 1];
  return `${Number((bytes / step[1]).toPrecision(3))}\u00a0${step[0]}`;
}

// --- Places: the end, a byte, a line ---

async function goToEnd() {
  if (!log) return;
  if (!tail()) {
    const part = await ask(log, `from=0&before=${Number.MAX_SAFE_INTEGER}`).catch(() => undefined);
    if (!part) return;
    showOnly(part, part.bytes);
  }
  isFollowing = true;
  unseen = 0;
  log.scrollTop = log.scrollHeight;
  lastTop = log.scrollTop;
  showUnseen();
}

// A part of the log in place of all that is here.
function showOnly(part, bytes) {
  log.replaceChildren();
  const list = document.createElement('ol');
  Object.assign(list.dataset, { start: part.start, end: part.next });
  log.append(list);
  list.append(...rows(part));
  const end = part.open ? bytes : part.next;
  if (part.start > 0) setGap(newGap(list, 'before'), 0, part.start);
  if (end < bytes) setGap(newGap(list, 'after'), part.next, bytes);
  else if ('next' in log.dataset) log.dataset.next = part.next;
  count(list);
  highlight();
}

function rowAt(at) {
  for (const list of lists()) {
    if (at < Number(list.dataset.start) || at >= Number(list.dataset.end)) continue;
    return [...list.children].findLast((row) => place(row) <= at);
  }
  return undefined;
}

async function goTo(at) {
  let row = rowAt(at);
  if (!row) {
    isMoving = true;
    const part = await ask(log, `around=${at}`).catch(() => undefined);
    isMoving = false;
    if (!part) return;
    showOnly(part, part.bytes);
    row = rowAt(at) ?? log.querySelector('li');
  }
  mark(row);
}

function mark(row) {
  if (!row) return;
  log.querySelector('li.at')?.classList.remove('at');
  row.classList.add('at');
  isFollowing = false;
  const { top, height } = row.getBoundingClientRect();
  const view = log.getBoundingClientRect();
  if (top < view.top || top + height > view.bottom) log.scrollTop += top - view.top - log.clientHeight / 3;
  lastTop = log.scrollTop;
}

async function goToHash() {
  if (!log) return;
  const [, kind, number] = /^#([Lb])(\d+)$/.exec(location.hash) ?? [];
  if (!kind) return;
  const here = document.getElementById(`${kind}${number}`);
  if (here) return mark(here);
  if (kind === 'b') return goTo(Number(number));
  let query = `line=${number}`;
  for (;;) {
    const answer = await fetch(`${log.dataset.find}&${query}`).then((found) => found.json()).catch(() => ({}));
    if (answer.found != null) return goTo(answer.found);
    if (answer.next == null) return goToEnd();
    query = `line=${number}&from=${answer.next}&counted=${answer.counted}`;
  }
}

// --- Finding ---

async function find(way) {
  const text = document.getElementById('find')?.value ?? '';
  if (!log || !text) return;
  const turn = ++looking;
  const told = document.querySelector('[data-found]');
  let from = match ? (way > 0 ? match.after : match.found) : way > 0 ? 0 : Number.MAX_SAFE_INTEGER;
  for (;;) {
    const query = new URLSearchParams({ q: text, from, ...(way < 0 ? { back: 1 } : {}) });
    const answer = await fetch(`${log.dataset.find}&${query}`).then((found) => (found.ok ? found.json() : undefined)).catch(() => undefined);
    if (turn !== looking) return;
    if (!answer) { told.textContent = 'The search broke off. Try again.'; return; }
    if (answer.found != null) {
      match = answer;
      told.textContent = '';
      await goTo(answer.found);
      highlight();
      return;
    }
    if (answer.next == null) { told.textContent = match ? `No more ${way > 0 ? 'below' : 'above'}` : 'Not found'; return; }
    from = answer.next;
    told.textContent = `Searched to ${size(from)}`;
  }
}

// All matches among the lines that are here, without a change to them.
function highlight() {
  const text = (document.getElementById('find')?.value ?? '').toLowerCase();
  if (!globalThis.Highlight || !CSS.highlights) return;
  const ranges = [];
  if (text && log) {
    const walker = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const all = node.data.toLowerCase();
      if (all.length !== node.data.length || !node.parentElement.closest('li > span')) continue;
      for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + text.length)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + text.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set('found', new Highlight(...ranges));
}

// --- What is printed meanwhile ---

function showUnseen() {
  const button = document.querySelector('[data-to-end]');
  if (!button) return;
  button.hidden = unseen === 0;
  button.querySelector('span').textContent = `Jump to the last line (${unseen} new)`;
}

// One question at a time; what happens meanwhile is asked for afterwards.
async function follow() {
  isMoreWanted = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isMoreWanted && log && 'next' in log.dataset && tail()) {
      isMoreWanted = false;
      const of = log;
      const part = await ask(of, `from=${of.dataset.next}`);
      if (part && of === log && tail()) add(part);
      if (part?.more) isMoreWanted = true;
      else await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
    }
  } catch {
    // Away for now: the next event asks again.
  } finally {
    isAsking = false;
  }
}

function add(part) {
  isFollowing = isAtEnd();
  let list = tail();
  const open = list.querySelector('[data-open]');
  const isNew = part.lines.length - (open ? 1 : 0);
  if (part.lines.length) open?.remove();
  if (part.left_out) {
    // The log grows faster than it can be read.
    const from = Number(list.dataset.end);
    const gap = newGap(list, 'after');
    setGap(gap, from, part.start);
    list = newList(gap, 'after', part.start);
  }
  list.append(...rows(part));
  list.hidden = list.childElementCount === 0;
  list.dataset.end = part.next;
  if (part.lines.length) log.querySelector('.nothing')?.remove();
  count(list);
  log.dataset.next = part.next;
  const told = document.querySelector('[data-log-size]');
  if (told) told.textContent = part.size;
  if (isFollowing) { trim(); goToEnd(); }
  else if (isNew > 0) { unseen += isNew; showUnseen(); }
}
