// The list of runs with the keyboard, and what is chosen in it: `/` goes to the query, `j` and `k` move, `x` chooses,
// `c` compares, Enter opens, Esc lets go. Chosen runs get the colours that curves will have, in the order in which
// they were chosen. The form works without any of this.

const COLOURS = ['c1', 'c2', 'c3', 'c4', 'c5'];
const chosen = [];
const query = document.getElementById('q');
const form = () => document.getElementById('chosen');
const rows = () => [...document.querySelectorAll('.runs tr[id]')];
const here = () => document.querySelector('.runs tr.at');

document.addEventListener('keydown', pressed);
document.addEventListener('change', ({ target }) => {
  if (target.matches('[data-all]')) for (const box of boxes()) box.checked = target.checked;
  if (target.closest('#chosen')) show();
});
document.addEventListener('reset', () => setTimeout(show));
// Rows came in anew.
document.addEventListener('otrace:changed', show);
// A page that is gone back to has its boxes as they were left.
addEventListener('pageshow', show);
if (query?.dataset.wrongAt) {
  query.focus();
  query.setSelectionRange(query.dataset.wrongAt - 1, query.value.length);
}

function boxes() {
  return [...document.querySelectorAll('.runs td.pick input')];
}

function pressed(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (key === 'Escape' && target === query) return query.blur();
  if (document.documentElement.dataset.keys === 'off') return;
  if (target.matches('input:not([type=checkbox]), textarea, select, [contenteditable]')) return;
  const act = { '/': () => query?.focus(), j: () => move(1), k: () => move(-1), x: choose, c: compare, Enter: open, Escape: leave }[key];
  // What has the focus is pressed by Enter itself.
  if (!act || (key === 'Enter' && target.matches('a, button, summary'))) return;
  if (act() !== false) event.preventDefault();
}

function move(step) {
  const all = rows();
  const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(here()) + step))];
  if (!next) return false;
  mark(next);
  next.scrollIntoView({ block: 'nearest' });
  // For who listens: the link says which run it is.
  next.querySelector('.exp a').focus({ preventScroll: true });
}

function mark(row) {
  const before = here();
  before?.classList.remove('at');
  before?.removeAttribute('aria-current');
  row?.classList.add('at');
  row?.setAttribute('aria-current', 'true');
}

function choose() {
  const box = here()?.querySelector('.pick input');
  if (!box) return false;
  box.checked = !box.checked;
  show();
}

function compare() {
  const button = form()?.querySelector('[value=compare]');
  if (!button || chosen.length < 2) return false;
  form().requestSubmit(button);
}

function open() {
  const link = here()?.querySelector('.exp a');
  if (!link) return false;
  link.click();
}

// First what is chosen, then the place.
function leave() {
  if (document.querySelector('.dlg:popover-open')) return false;
  if (chosen.length > 0) return form().reset();
  mark(undefined);
  document.activeElement?.blur();
}

function show() {
  if (!form()) return;
  const now = boxes().filter((box) => box.checked).map((box) => box.value);
  chosen.splice(0, chosen.length, ...chosen.filter((run) => now.includes(run)), ...now.filter((run) => !chosen.includes(run)));
  for (const row of rows()) {
    row.classList.remove(...COLOURS);
    const place = chosen.indexOf(row.querySelector('.pick input').value);
    if (place >= 0) row.classList.add(COLOURS[place % COLOURS.length]);
  }
  const all = form().querySelector('[data-all]');
  all.hidden = false;
  all.checked = now.length > 0 && now.length === boxes().length;
  all.indeterminate = now.length > 0 && !all.checked;
  const keys = chosen.slice(0, 6).map((run, place) => {
    const key = document.createElement('span');
    key.className = `key mono ${COLOURS[place % COLOURS.length]}`;
    key.textContent = run;
    return key;
  });
  form().querySelector('[data-chosen]').replaceChildren(`${chosen.length} chosen`, ...keys);
}
