// The log of a run, while one reads it: what is printed comes to its end, and earlier lines where they were left
// out. Only what is new is asked for, by its place in the log (`…/logs/lines`), and set as text, never as markup.
// The end is followed for as long as the reader is there.

const LINES_MAX = 20_000;
const PAUSE_MS = 500;
const NEAR_PX = 24;

let log, isFollowing = false, isAsking = false, isMoreWanted = false, unseen = 0;
begin();

document.addEventListener('otrace:output', follow);
document.addEventListener('otrace:changed', () => { begin(); follow(); });
document.addEventListener('click', (event) => {
  const earlier = event.target.closest('[data-before]');
  if (earlier && log?.contains(earlier)) { event.preventDefault(); showEarlier(earlier); }
  if (event.target.closest('[data-to-end]')) goToEnd();
});

// The page may have been replaced around the log, or with it.
function begin() {
  const found = document.querySelector('[data-keep]');
  const isFirst = !log;
  if (found !== log) {
    log = found;
    log?.addEventListener('scroll', noticePlace, { passive: true });
    if (log && (isFirst ? 'next' in log.dataset && !location.hash : isFollowing)) goToEnd();
  }
  showUnseen();
}

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
}

function noticePlace() {
  isFollowing = isAtEnd();
  if (isFollowing && unseen) { unseen = 0; showUnseen(); }
}

function goToEnd() {
  if (!log) return;
  isFollowing = true;
  unseen = 0;
  log.scrollTop = log.scrollHeight;
  showUnseen();
}

function showUnseen() {
  const button = document.querySelector('[data-to-end]');
  if (!button) return;
  button.hidden = unseen === 0;
  button.querySelector('span').textContent = `Jump to the last line (${unseen} new)`;
}

async function ask(of, query) {
  const answer = await fetch(`${of.dataset.keep}&${query}`, { headers: { accept: 'application/json' } });
  return answer.ok && !answer.redirected ? answer.json() : undefined;
}

// One question at a time; what happens meanwhile is asked for afterwards.
async function follow() {
  isMoreWanted = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isMoreWanted && log && 'next' in log.dataset) {
      isMoreWanted = false;
      const of = log;
      const part = await ask(of, `from=${of.dataset.next}`);
      if (part && of === log) add(part);
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
  const list = log.querySelector('[data-lines]');
  const open = list.querySelector('[data-open]');
  const isNew = part.lines.length - (open ? 1 : 0);
  if (part.lines.length) open?.remove();
  if (part.left_out) leaveOut(list, part.left_out);
  let number = 'count' in log.dataset ? Number(log.dataset.count) : undefined;
  const rows = part.lines.map(([text, kind]) => row(text, kind, number === undefined ? undefined : ++number));
  if (part.open) rows.at(-1)?.setAttribute('data-open', '');
  rows.at(0)?.setAttribute('data-at', part.start);
  list.append(...rows);
  list.hidden = list.childElementCount === 0;
  if (rows.length) log.querySelector('.nothing')?.remove();
  if (number !== undefined) log.dataset.count = part.open ? number - 1 : number;
  log.dataset.next = part.next;
  const size = document.querySelector('[data-log-size]');
  if (size) size.textContent = part.size;
  if (isFollowing) { forgetOldest(list); goToEnd(); }
  else if (isNew > 0) { unseen += isNew; showUnseen(); }
}

function row(text, kind, number) {
  const line = document.createElement('li');
  line.className = kind;
  const mark = document.createElement(number === undefined ? 'i' : 'a');
  if (number !== undefined) {
    line.id = `L${number}`;
    mark.href = `#L${number}`;
    mark.textContent = number;
  }
  const content = document.createElement('span');
  content.textContent = text;
  line.append(mark, content);
  return line;
}

// The log grows faster than it can be read.
function leaveOut(list, size) {
  delete log.dataset.count;
  const line = row(`${size} are left out here. Reload the page to see them.`, 'sys');
  list.append(line);
}

// A page that is open for days keeps what one can scroll through. Rows with their place are where parts began.
function forgetOldest(list) {
  while (list.childElementCount > LINES_MAX) {
    const next = list.querySelector('li ~ [data-at]');
    if (!next) return;
    while (list.firstElementChild !== next) list.firstElementChild.remove();
    const earlier = log.querySelector('[data-before]') ?? gapBefore(list);
    earlier.dataset.before = next.dataset.at;
    earlier.parentElement.querySelector('[data-left-out]').textContent = 'Lines';
  }
}

function gapBefore(list) {
  const gap = document.createElement('p');
  gap.className = 'gap';
  gap.dataset.gap = 0;
  const words = document.createElement('span');
  const amount = document.createElement('span');
  amount.dataset.leftOut = '';
  words.append(amount, ' above are not shown.');
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'btn';
  button.dataset.before = '';
  button.textContent = 'Show earlier lines';
  gap.append(words, button);
  list.before(gap);
  return button;
}

async function showEarlier(button) {
  const of = log;
  const gap = button.closest('[data-gap]');
  const part = await ask(of, `from=${gap.dataset.gap}&before=${button.dataset.before}`).catch(() => undefined);
  if (!part || of !== log || !part.lines.length) return;
  const list = log.querySelector('[data-lines]');
  const below = log.scrollHeight - log.scrollTop;
  const rows = part.lines.map(([text, kind]) => row(text, kind));
  rows[0].dataset.at = part.start;
  list.prepend(...rows);
  if (part.left_out) {
    button.dataset.before = part.start;
    gap.querySelector('[data-left-out]').textContent = part.left_out;
  } else {
    gap.remove();
  }
  // What one reads stays where it is.
  log.scrollTop = log.scrollHeight - below;
}
