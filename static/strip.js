// The best run so far, above the list of runs. The server draws it, and it comes after the list, which so does not wait
// for it; its place has its height from the beginning. While runs change it is asked for again, at most every five
// seconds, and the browser keeps what it has as long as the server says that nothing changed.

const EVERY_MS = 5000;
const place = document.querySelector('[data-strip]');
let due, askedAt;

if (place) {
  ask();
  document.addEventListener('otrace:changed', soon);
  // A narrow window has no place for it.
  addEventListener('resize', () => { if (!askedAt) ask(); });
}

function soon() {
  due ??= setTimeout(ask, Math.max(0, (askedAt ?? 0) + EVERY_MS - Date.now()));
}

function ask() {
  due = clearTimeout(due);
  if (!place.offsetParent) return;
  askedAt = Date.now();
  // The browser makes the document itself: the page's policy lets no script make one of a text.
  const request = new XMLHttpRequest();
  request.open('GET', place.dataset.strip);
  request.responseType = 'document';
  request.addEventListener('load', () => show(request));
  request.send();
}

// Whoever is in it with the keyboard stays there.
function show({ status, response }) {
  const strip = status === 200 && response?.querySelector('svg.strip');
  if (strip && !place.contains(document.activeElement)) place.replaceChildren(strip);
}
