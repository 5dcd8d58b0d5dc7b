// Keys on a run's page: `[` and `]` newer and older run, `1` to `9` its tabs, `y` copies its id. They are off while a
// field has the focus, and leave the browser's own keys alone.

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.documentElement.dataset.keys === 'off') return;
  if (event.target.closest('input, textarea, select, [contenteditable], dialog, [popover]')) return;
  const target = goal(event.key);
  if (!target) return;
  event.preventDefault();
  target.click();
});

// The links are looked for anew each time: a live page replaces them.
function goal(key) {
  if (key === 'y') return copied();
  if (/^[1-9]$/.test(key)) return document.querySelectorAll('.tabs a')[key - 1];
  return [...document.querySelectorAll('.rh [data-key]')].find((link) => link.dataset.key === key);
}

// The id is copied as any text beside a copy button is.
function copied() {
  const holder = document.createElement('div');
  const text = document.createElement('pre');
  const button = document.createElement('button');
  text.textContent = document.querySelector('main[data-run]')?.dataset.run ?? '';
  if (!text.textContent) return undefined;
  button.dataset.copy = '';
  holder.hidden = true;
  holder.append(text, button);
  document.body.append(holder);
  setTimeout(() => holder.remove());
  return button;
}
