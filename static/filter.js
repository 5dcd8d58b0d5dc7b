// Filters a table while one types: `form[data-filter]` names it, and `[data-filter-count]` says how many rows are left.
// Without this script the same form asks the server.

const form = document.querySelector('form[data-filter]');
const count = document.querySelector('[data-filter-count]');
const rows = [...document.querySelectorAll(`#${form?.dataset.filter} tbody tr`)];
// Rows that the server left out can't be shown from here.
const hasAll = form && !form.elements.q.value;

if (hasAll) {
  const whole = count.textContent;
  form.elements.q.addEventListener('input', () => {
    const wanted = form.elements.q.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    const left = rows.filter((row) => !row.hidden).length;
    count.textContent = left === rows.length ? whole : `${left} of ${whole}`;
  });
  form.addEventListener('submit', (event) => event.preventDefault());
}
