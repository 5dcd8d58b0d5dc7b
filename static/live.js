// What happens while a page is open: server-sent events of the project's runs, at `data-live-url`.
// A page to connect from goes to the run that arrives; a list replaces rows and never pushes them;
// a run's page is replaced until the run is over. After a break the server tells what was missed.

const main = () => document.querySelector('main');
const { live: kind, liveUrl: url, liveRun: run } = main().dataset;
const policy = globalThis.trustedTypes?.createPolicy('otrace', { createHTML: (html) => html });
const announced = new Set();
let source, looking, losing;
let asked = 0, shown = 0;
if (url) listen();

// A page that is left may be kept for the way back; its stream must not hold one of the few connections.
addEventListener('pagehide', () => source?.close());
addEventListener('pageshow', ({ persisted }) => { if (persisted) location.reload(); });

function listen() {
  source = new EventSource(url);
  source.addEventListener('open', () => showLost(false));
  source.addEventListener('error', () => { losing ??= setTimeout(showLost, 5000, true); });
  source.addEventListener('run', (event) => {
    const changed = JSON.parse(event.data);
    const isShown = document.getElementById(`run-${changed.experiment_id}`);
    if (kind === 'connect' && changed.created) location.assign(changed.href);
    if (kind === 'list' && changed.created && !isShown) announce(changed.experiment_id);
    if (kind === 'list' && isShown) soon('tr[id]', (row) => document.getElementById(row.id)?.replaceWith(row));
    if (kind === 'run' && changed.experiment_id === run) soon('main', (fresh) => main().replaceWith(fresh));
  });
}

// Streams end now and then; only one that stays away is worth a word. The browser gives a refused one up for good.
function showLost(isLost) {
  losing = clearTimeout(losing);
  for (const line of document.querySelectorAll('[data-live-lost]')) {
    if (source.readyState === EventSource.CLOSED) line.querySelector('span').textContent = 'Live updates stopped. Reload the page.';
    line.hidden = !isLost;
  }
}

function announce(experiment) {
  announced.add(experiment);
  const line = document.querySelector('[data-live-new]');
  line.querySelector('span').textContent = announced.size === 1 ? '1 new run started' : `${announced.size} new runs started`;
  line.hidden = false;
}

// Events come in bursts; one look at the end of a burst is enough.
function soon(selector, replace) {
  clearTimeout(looking);
  looking = setTimeout(look, 300, selector, replace);
}

// Looks at the page anew. Answers may overtake each other: one that was asked for earlier than what stands is too old.
async function look(selector, replace) {
  const turn = ++asked;
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (!answer.ok || answer.redirected) return;
  const html = await answer.text();
  if (turn < shown) return;
  shown = turn;
  new DOMParser().parseFromString(policy?.createHTML(html) ?? html, 'text/html').querySelectorAll(selector).forEach(replace);
  if (!main().dataset.liveUrl) source.close();
  document.dispatchEvent(new Event('otrace:changed'));
}
