// The tree of runs with the keyboard: `j` and `k` move, `p` goes to the run that this one goes on from, Enter opens, `/`
// goes to the filter, Esc leaves. The tree can be read and its links followed without any of this.

const filter = document.getElementById('q');
const rows = [...document.querySelectorAll('.tree > li')];
let here = -1;

document.addEventListener('keydown', (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (key === 'Escape' && target === filter) return filter.blur();
  if (document.documentElement.dataset.keys === 'off') return;
  if (target.closest('input, textarea, select, [contenteditable], dialog, [popover]')) return;
  const act = { '/': () => filter?.focus(), j: () => go(here + 1), k: () => go(here - 1), p: () => go(parent()), Enter: open, Escape: leave }[key];
  // What has the focus is pressed by Enter itself.
  if (!act || (key === 'Enter' && target.matches('a, button, summary'))) return;
  if (act() !== false) event.preventDefault();
});

// Whatever has the focus in a row is the place to go on from.
document.addEventListener('focusin', ({ target }) => {
  const at = rows.indexOf(target.closest('.tree > li'));
  if (at >= 0) mark(at);
});

function go(place) {
  const row = rows[Math.max(0, Math.min(rows.length - 1, place))];
  if (!row) return false;
  // For who listens: the link says which run it is.
  row.querySelector('a.clip').focus({ preventScroll: true });
  row.scrollIntoView({ block: 'nearest' });
}

// The place of the run that this one goes on from; of one that is not shown, the place where one is.
function parent() {
  const { parent: name } = rows[here]?.dataset ?? {};
  const at = rows.findIndex((row) => row.id === `run-${name}`);
  return at >= 0 ? at : Math.max(0, here);
}

function mark(place) {
  rows[here]?.classList.remove('at');
  here = place;
  rows[here]?.classList.add('at');
}

function open() {
  const link = rows[here]?.querySelector('a.clip');
  if (!link) return false;
  link.click();
}

function leave() {
  if (here < 0) return false;
  mark(-1);
  document.activeElement?.blur();
}
