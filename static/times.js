// Times in the reader's zone: `<time datetime data-relative>` ("3 min ago"), `data-exact` (day and
// minute) and `data-clock` (the hour alone), each with the exact time and its zone as its title. The
// server says the same in UTC, for who reads without script. `web/format.rs` has the same words.

const exact = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit',
});
const whole = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
});
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

function relative(date) {
  const seconds = Math.floor((Date.now() - date) / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 45) return 'just now';
  if (minutes < 60) return `${Math.max(minutes, 1)}\u00a0min ago`;
  if (hours < 24) return `${hours}\u00a0h ago`;
  if (days === 1) return 'yesterday';
  if (days < 14) return `${days} days ago`;
  if (days <= 90) return `${Math.floor(days / 7)} weeks ago`;
  return day.format(date);
}

function show() {
  for (const time of document.querySelectorAll('time[datetime]')) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    if ('relative' in time.dataset) {
      time.textContent = relative(date);
    } else if ('exact' in time.dataset) {
      time.textContent = exact.format(date);
    } else if ('clock' in time.dataset) {
      time.textContent = clock.format(date);
    } else continue;
    time.title = whole.format(date);
  }
}

show();
setInterval(show, 30_000);
document.addEventListener('otrace:changed', show);
