// The comparison: forms that send themselves when something is chosen (`data-send-on-change`), and a button that
// copies the page's address (`data-copy-link`). Without it the forms have buttons, and the address stands in its bar.

const toast = document.getElementById('toast');
let hiding;

document.querySelectorAll('form[data-send-on-change]').forEach((form) => {
  form.querySelector('button[type=submit]').hidden = true;
  form.addEventListener('change', () => form.requestSubmit());
});

document.querySelectorAll('[data-copy-link]').forEach((button) => {
  // No clipboard without HTTPS.
  button.hidden = !navigator.clipboard;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(location.href);
    toast.showPopover?.();
    toast.textContent = 'Link copied';
    clearTimeout(hiding);
    hiding = setTimeout(() => toast.hidePopover?.(), 5000);
  });
});
