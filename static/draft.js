// A note that is being written outlives its page: it is kept in this tab until the server has it. Without this script
// what was typed still comes back with whatever stands against it; this is for a page that was closed or left.

const key = `draft:${location.pathname.replace(/\/notes$/, '')}`;

begin();
document.addEventListener('otrace:changed', begin);
document.addEventListener('input', ({ target }) => {
  if (target.closest('[data-draft]')) keep(target.value);
});

function begin() {
  const field = document.querySelector('[data-draft] textarea');
  // The server leads to a note that it has taken.
  if (location.hash.startsWith('#note-') && document.getElementById(location.hash.slice(1))) keep('');
  if (field && !field.value) field.value = kept();
}

function kept() {
  try { return sessionStorage.getItem(key) ?? ''; } catch { return ''; }
}

// A tab may have no storage, or none left: then the note is only on the page.
function keep(text) {
  try {
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  } catch { /* It is on the page. */ }
}
