// Goes to places without a mouse: Ctrl K or ⌘ K finds a run or a project, `g` and a letter go to a page, `?` lists the
// keys. Single keys are off while a field has the focus, and for who switched them off in their account. Without it,
// the button in the bar leads to the page of search.

const SOON_MS = 120;
const GO_MS = 1500;
const KEYS = [
  ['Ctrl K', 'Find a run, a project, a note, a commit'],
  ['g p', 'All projects'],
  ['g r', 'Runs of this project'],
  ['g l', 'Lineage of this project'],
  ['/', 'The query or filter of the page'],
  ['j k', 'Next, previous run in the list or the tree'],
  ['p', 'The run that this one goes on from, in the tree'],
  ['x', 'Choose the run'],
  ['c', 'Compare what is chosen'],
  ['Enter', 'Open the run'],
  ['Esc', 'Let go of what is chosen, leave the field'],
  ['[ ]', 'Newer, older run'],
  ['1 to 9', 'Tabs of a run'],
  ['y', 'Copy the id of the run'],
  ['n N', 'Next, previous match in the log'],
  ['f End', 'The last line of the log, and follow it'],
  ['?', 'These keys'],
];
const button = document.querySelector('[data-jump]');
let leap, field, list, status, keys;
let waiting, shownFor, asked = 0, at = -1, begunAt = -Infinity;

button?.addEventListener('click', (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open();
});
document.addEventListener('keydown', pressed);

function pressed(event) {
  const { key, target } = event;
  if (event.defaultPrevented || event.altKey) return;
  if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === 'k' && button) {
    event.preventDefault();
    return open();
  }
  if (event.ctrlKey || event.metaKey || document.documentElement.dataset.keys === 'off') return;
  if (target.closest('input, textarea, select, [contenteditable], dialog, :popover-open')) return;
  const isSecond = event.timeStamp - begunAt < GO_MS;
  begunAt = -Infinity;
  if (isSecond) {
    const place = goal(key);
    if (place) {
      event.preventDefault();
      location.assign(place);
    }
  } else if (key === 'g') begunAt = event.timeStamp;
  else if (key === '?') {
    event.preventDefault();
    showKeys();
  }
}

// Where `g` and this letter lead: what the page itself links to.
function goal(key) {
  const tab = (name) => document.querySelector(`nav[aria-label=Project] a[href$="/${name}"]`)?.href;
  return { p: '/', r: tab('runs'), l: tab('lineage') }[key];
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A dialog that a click beside it closes.
function dialog(label) {
  const made = element('dialog', { className: 'dlg leap', ariaLabel: label });
  made.addEventListener('click', ({ target }) => { if (target === made) made.close(); });
  document.body.append(made);
  return made;
}

function showKeys() {
  if (!keys) {
    keys = dialog('Keys');
    const rows = KEYS.flatMap(([key, does]) => {
      const parts = key === '1 to 9' ? [key] : key.split(' ');
      return [element('dt', {}, ...parts.map((part) => element('kbd', { textContent: part }))), element('dd', { textContent: does })];
    });
    keys.append(element('h2', { textContent: 'Keys' }), element('dl', {}, ...rows));
  }
  keys.showModal();
}

function open() {
  if (!leap) build();
  if (leap.open) return;
  leap.showModal();
  field.select();
}

function build() {
  leap = dialog('Jump to');
  field = element('input', { className: 'in', type: 'search', placeholder: 'A run, a project, a word of a note, a commit', autocomplete: 'off', maxLength: 200 });
  list = element('ul', { className: 'hits', id: 'leap-hits' });
  status = element('p', { className: 'dim small', textContent: 'Type a number such as exp042, or words.' });
  status.setAttribute('role', 'status');
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'Found');
  for (const [name, value] of Object.entries({ role: 'combobox', 'aria-label': 'Jump to', 'aria-autocomplete': 'list', 'aria-controls': list.id, 'aria-expanded': 'false' })) {
    field.setAttribute(name, value);
  }
  leap.append(field, list, status);
  list.addEventListener('click', ({ target }) => follow(target.closest('[role=option]')));
  field.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, SOON_MS);
  });
  field.addEventListener('keydown', chosen);
}

async function ask() {
  const turn = ++asked;
  const q = field.value.trim();
  if (!q) return show([], 'Type a number such as exp042, or words.');
  const answer = await fetch(`/search/hits?q=${encodeURIComponent(q)}`, { headers: { accept: 'application/json' } }).catch(() => undefined);
  // Answers may overtake each other.
  if (turn !== asked) return;
  if (!answer?.ok || answer.redirected) return show([], 'The search did not answer. Try again, or reload the page.');
  const { hits } = await answer.json();
  if (turn !== asked) return;
  show(hits, hits.length ? `${hits.length} found` : 'Nothing found in your projects.');
  shownFor = q;
}

function show(hits, says) {
  list.replaceChildren(...hits.map(({ href, label, text, about, status: state }, place) => {
    const option = element('li', { id: `leap-${place}` },
      element('span', { className: 'mono dim', textContent: label }),
      element('span', { className: 'clip', textContent: text }),
      element('span', { className: 'push dim small clip', textContent: state ? `${about}, ${state.toLowerCase()}` : about }));
    option.setAttribute('role', 'option');
    option.setAttribute('aria-selected', 'false');
    option.dataset.href = href;
    return option;
  }));
  status.textContent = says;
  field.setAttribute('aria-expanded', String(hits.length > 0));
  shownFor = undefined;
  at = -1;
  mark(0);
}

function mark(place) {
  const options = [...list.children];
  options[at]?.setAttribute('aria-selected', 'false');
  at = options.length ? (place + options.length) % options.length : -1;
  if (at < 0) return field.removeAttribute('aria-activedescendant');
  options[at].setAttribute('aria-selected', 'true');
  options[at].scrollIntoView({ block: 'nearest' });
  field.setAttribute('aria-activedescendant', options[at].id);
}

function chosen(event) {
  if (event.key === 'ArrowDown') mark(at + 1);
  else if (event.key === 'ArrowUp') mark(at - 1);
  else if (event.key === 'Enter') go();
  else return;
  event.preventDefault();
}

// Who types and presses Enter at once means what is found for the whole of it.
async function go() {
  clearTimeout(waiting);
  if (shownFor !== field.value.trim()) await ask();
  follow(list.children[at]);
}

function follow(option) {
  if (option) location.assign(option.dataset.href);
}
