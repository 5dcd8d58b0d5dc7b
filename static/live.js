// What happens while a page is open: server-sent events of the project's runs, at `data-live-url`.
// A page to connect from goes to the run that arrives; a list replaces rows, which it asks for at
// `data-live-rows`, and never pushes them;
// a run's page is replaced until the run is over, but for its log, which `log.js` keeps. After a break
// the server tells what was missed, or that there is too much of it: then the page is looked at anew.

const SOON_MS = 300;
const LATER_MS = 5000;
const MUCH_LATER_MS = 15_000;
const main = () => document.querySelector('main');
const { live: kind, liveUrl: url, liveRun: run } = main().dataset;
const policy = globalThis.trustedTypes?.createPolicy('otrace', { createHTML: (html) => html });
const announced = new Set();
let source, looking, losing, dueAt, returning;
let asked = 0, shown = 0, refusals = 0, hasListened = false;
if (url) listen();

// A page that is left may be kept for the way back; its stream must not hold one of the few connections.
addEventListener('pagehide', () => { source?.close(); clearTimeout(returning); });
addEventListener('pageshow', ({ persisted }) => { if (persisted) location.reload(); });

function listen() {
  source = new EventSource(url);
  source.addEventListener('open', opened);
  source.addEventListener('error', lost);
  source.addEventListener('run', (event) => heard(JSON.parse(event.data)));
  // All pages are told at once, and must not all ask at once.
  source.addEventListener('resync', () => {
    announced.clear();
    const wait = SOON_MS + 2000 * Math.random();
    if (kind === 'list') { soon('tr[id]', replaceRow, wait); sayNew('The list has changed'); }
    if (kind === 'run') soon('main', replaceMain, wait);
  });
}

function heard(changed) {
  const isShown = document.getElementById(`run-${changed.experiment_id}`);
  if (kind === 'connect' && changed.created) location.assign(changed.href);
  if (kind === 'list' && changed.created && !isShown) announce(changed.experiment_id);
  if (kind === 'list' && isShown && !changed.output) soon('tr[id]', replaceRow);
  // Curves need not follow every point.
  if (kind === 'list' && isShown && changed.output && document.querySelector('[data-curves]')) soon('tr[id]', replaceRow, LATER_MS);
  if (kind !== 'run' || changed.experiment_id !== run) return;
  const isLog = location.pathname.endsWith('/logs');
  const hasLog = document.querySelector('[data-keep]');
  if (changed.output && hasLog) tell('otrace:output');
  // Charts need not follow every point. Beside a log that is followed there may be a new one.
  const later = isLog && !hasLog ? SOON_MS : hasLog ? MUCH_LATER_MS : LATER_MS;
  soon('main', replaceMain, changed.output ? later : SOON_MS);
}

function opened() {
  showLost(false);
  refusals = 0;
  // What was printed meanwhile is not told once more.
  if (hasListened) tell('otrace:output');
  hasListened = true;
}

// Streams end now and then; only one that stays away is worth a word. The browser gives a refused one up for
// good: the server may have had too many, so that it is asked again, less and less often.
function lost() {
  losing ??= setTimeout(showLost, 5000, true);
  if (source.readyState !== EventSource.CLOSED) return;
  refusals += 1;
  const wait = Math.min(300_000, 5000 * 2 ** refusals) * (0.5 + Math.random() / 2);
  clearTimeout(returning);
  returning = setTimeout(listen, wait);
}

function showLost(isLost) {
  losing = clearTimeout(losing);
  for (const line of document.querySelectorAll('[data-live-lost]')) {
    if (source.readyState === EventSource.CLOSED) line.querySelector('span').textContent = 'Live updates stopped. Reload the page.';
    line.hidden = !isLost;
  }
}

function announce(experiment) {
  announced.add(experiment);
  sayNew(announced.size === 1 ? '1 new run started' : `${announced.size} new runs started`);
}

function sayNew(text) {
  const line = document.querySelector('[data-live-new]');
  line.querySelector('span').textContent = text;
  line.hidden = false;
}

function tell(name) {
  document.dispatchEvent(new Event(name));
}

// Events come in bursts, and may go on for ever: one look for all that come within some time.
function soon(selector, replace, wait = SOON_MS) {
  const at = Date.now() + wait;
  if (looking && dueAt <= at) return;
  clearTimeout(looking);
  dueAt = at;
  looking = setTimeout(() => { looking = undefined; look(selector, replace); }, wait);
}

// Looks at the page anew. Answers may overtake each other: one that was asked for earlier than what stands is too old.
async function look(selector, replace) {
  const turn = ++asked;
  const { liveRows } = main().dataset;
  const answer = await fetch((selector !== 'main' && liveRows) || location.href, { headers: { accept: 'text/html' } });
  if (!answer.ok || answer.redirected) return;
  const html = await answer.text();
  if (turn < shown) return;
  shown = turn;
  new DOMParser().parseFromString(policy?.createHTML(html) ?? html, 'text/html').querySelectorAll(selector).forEach(replace);
  if (!main().dataset.liveUrl) { source.close(); clearTimeout(returning); }
  tell('otrace:changed');
}

// A row stays chosen, marked and focused as it was.
function replaceRow(fresh) {
  const shown = document.getElementById(fresh.id);
  if (!shown) return;
  const places = (row) => [...row.querySelectorAll('a, input')];
  const focused = places(shown).indexOf(document.activeElement);
  const box = fresh.querySelector('.pick input');
  if (box) box.checked = shown.querySelector('.pick input')?.checked ?? false;
  fresh.className = shown.className;
  if (shown.ariaCurrent) fresh.ariaCurrent = shown.ariaCurrent;
  shown.replaceWith(fresh);
  places(fresh)[focused]?.focus({ preventScroll: true });
}

// The log that is read stays as it is, where it is, and has the focus if it had.
function replaceMain(fresh) {
  const kept = main().querySelector('[data-keep]');
  const place = fresh.querySelector('[data-keep]');
  if (kept?.dataset.keep !== place?.dataset.keep || !kept) return main().replaceWith(fresh);
  const { scrollTop, scrollLeft } = kept;
  const focused = kept.contains(document.activeElement) && document.activeElement;
  const isGrowing = 'next' in kept.dataset;
  if (isGrowing) place.replaceWith(kept);
  main().replaceWith(fresh);
  Object.assign(isGrowing ? kept : place, { scrollTop, scrollLeft });
  if (isGrowing && focused) focused.focus({ preventScroll: true });
}
