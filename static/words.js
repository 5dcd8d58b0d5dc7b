// Completes the query while it is written: fields, tags, names of results. The field is a combobox with a listbox, as
// ARIA has it: arrows choose, Enter and Tab take, Esc closes. `data-words` says where to ask.

const SOON_MS = 120;
const field = document.querySelector('[data-words]');
const list = document.createElement('ul');
let waiting, asked = 0, at = -1, span = [0, 0];

if (field) {
  list.id = 'q-words';
  list.className = 'words pop';
  list.hidden = true;
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'Words for the query');
  field.parentElement.append(list);
  field.setAttribute('role', 'combobox');
  field.setAttribute('aria-autocomplete', 'list');
  field.setAttribute('aria-controls', list.id);
  field.setAttribute('aria-expanded', 'false');
  field.addEventListener('input', soon);
  field.addEventListener('keydown', pressed);
  field.addEventListener('blur', close);
  // Before the field loses the focus, which would close the list.
  list.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    const option = event.target.closest('[role=option]');
    if (option) take(option);
  });
}

// The word that the caret stands in or behind; one in quotes is a whole.
function word() {
  const caret = field.selectionStart;
  const before = field.value.slice(0, caret);
  const start = before.length - before.match(/(?:[^\s"]|"[^"]*"?)*$/)[0].length;
  return [start, caret];
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(ask, SOON_MS);
}

async function ask() {
  const turn = ++asked;
  const [start, end] = word();
  const prefix = field.value.slice(start, end);
  const answer = await fetch(`${field.dataset.words}?prefix=${encodeURIComponent(prefix)}`).catch(() => undefined);
  // Answers may overtake each other, and the writer may have left.
  if (turn !== asked || !answer?.ok || answer.redirected || document.activeElement !== field) return;
  const { words } = await answer.json();
  if (turn !== asked) return;
  span = [start, end];
  show(words.filter(({ text }) => text !== prefix));
}

function show(words) {
  at = -1;
  list.replaceChildren(...words.map(({ text, shown, about }, place) => {
    const option = document.createElement('li');
    option.id = `q-word-${place}`;
    option.dataset.word = text;
    option.setAttribute('role', 'option');
    option.setAttribute('aria-selected', 'false');
    const remark = document.createElement('small');
    remark.textContent = about;
    option.append(shown, ...(about ? [remark] : []));
    return option;
  }));
  list.hidden = words.length === 0;
  field.setAttribute('aria-expanded', String(!list.hidden));
  field.removeAttribute('aria-activedescendant');
}

function close() {
  asked += 1;
  clearTimeout(waiting);
  show([]);
}

function pressed(event) {
  if (list.hidden) {
    if (event.key === 'ArrowDown') ask();
    return;
  }
  const options = [...list.children];
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    const step = event.key === 'ArrowDown' ? 1 : -1;
    mark(options, (at + step + options.length + (at < 0 && step < 0 ? 1 : 0)) % options.length);
  } else if (event.key === 'Escape') close();
  else if ((event.key === 'Enter' || event.key === 'Tab') && at >= 0) take(options[at]);
  else return;
  event.preventDefault();
}

function mark(options, place) {
  options[at]?.setAttribute('aria-selected', 'false');
  at = place;
  options[at].setAttribute('aria-selected', 'true');
  options[at].scrollIntoView({ block: 'nearest' });
  field.setAttribute('aria-activedescendant', options[at].id);
}

function take(option) {
  const { word } = option.dataset;
  // A field goes on with its value.
  const isWhole = !/[:.]$/.test(word);
  close();
  field.setRangeText(isWhole ? `${word} ` : word, span[0], span[1], 'end');
  if (!isWhole) soon();
}
