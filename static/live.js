// What happens while a page is open: server-sent events of the project's runs, at `data-live-url`.
// A page to connect from goes to the run that arrives; a list replaces rows and never pushes them;
// a run's page is replaced until the run is over. After a break the server tells what was missed.

const main = () => document.querySelector('main');
const { live: kind, liveUrl: url, liveRun: run } = main().dataset;
const policy = globalThis.trustedTypes?.createPolicy('otrace', { createHTML: (html) => html });
const announced = new Set();
let source, looking, losing;
if (url) {
  source = new EventSource(url);
  source.addEventListener('open', () => showLost(false));
  source.addEventListener('error', () => { losing ??= setTimeout(showLost, 5000, true); });
  source.addEventListener('run', (event) => {
    const changed = JSON.parse(event.data);
    const isShown = document.getElementById(`run-${changed.experiment_id}`);
    if (kind === 'connect' && changed.created) location.assign(changed.href);
    if (kind === 'list' && changed.created && !isShown) announce(changed.experiment_id);
    if (kind === 'list' && isShown) soon(replaceRows);
    if (kind === 'run' && changed.experiment_id === run) soon(replaceMain);
  });
}

// Streams end now and then; only one that stays away is worth a word.
function showLost(isLost) {
  losing = clearTimeout(losing);
  document.querySelectorAll('[data-live-lost]').forEach((line) => line.toggleAttribute('hidden', !isLost));
}

function announce(experiment) {
  announced.add(experiment);
  const line = document.querySelector('[data-live-new]');
  line.querySelector('span').textContent = announced.size === 1 ? '1 new run started' : `${announced.size} new runs started`;
  line.hidden = false;
}

// Events come in bursts; one look at the end of a burst is enough.
function soon(look) {
  clearTimeout(looking);
  looking = setTimeout(look, 300);
}

async function fetchPage(selector) {
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (!answer.ok || answer.redirected) return [];
  const html = await answer.text();
  return new DOMParser().parseFromString(policy?.createHTML(html) ?? html, 'text/html').querySelectorAll(selector);
}

async function replaceRows() {
  for (const row of await fetchPage('tr[id]')) document.getElementById(row.id)?.replaceWith(row);
  document.dispatchEvent(new Event('otrace:changed'));
}

async function replaceMain() {
  for (const fresh of await fetchPage('main')) main().replaceWith(fresh);
  if (!main().dataset.liveUrl) source.close();
  document.dispatchEvent(new Event('otrace:changed'));
}
