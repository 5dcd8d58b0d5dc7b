// A form that is on its way is not sent once more: who presses its button twice means it once. A page that is gone
// back to may send its forms again, and so may one that got no answer.

const AGAIN_MS = 10_000;
let sent = new WeakMap();

document.addEventListener('submit', (event) => {
  const { target: form, timeStamp } = event;
  if (event.defaultPrevented || form.getAttribute('method') !== 'post') return;
  if (timeStamp - (sent.get(form) ?? -Infinity) < AGAIN_MS) return event.preventDefault();
  sent.set(form, timeStamp);
});
addEventListener('pageshow', () => { sent = new WeakMap(); });
