// Copy buttons: `[data-copy]` beside a `<pre>`. Prompts (`.p`) are not part of a command.

const toast = document.getElementById('toast');
let hiding;

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const text = textOf(button.parentElement.querySelector('pre'));
  try {
    await navigator.clipboard.writeText(text);
    announce('Copied');
  } catch {
    // No clipboard without HTTPS: select the text, so that one key press copies it.
    getSelection().selectAllChildren(button.parentElement.querySelector('pre'));
    announce('Selected: press Ctrl C to copy');
  }
});

function textOf(pre) {
  const copy = pre.cloneNode(true);
  copy.querySelectorAll('.p').forEach((prompt) => prompt.remove());
  return copy.textContent.trimEnd();
}

function announce(text) {
  toast.showPopover?.();
  toast.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => toast.hidePopover?.(), 5000);
}
