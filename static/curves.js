// The curves of a run's main series beside its parent's, drawn into the empty frames of the run's page once they are
// in sight. The legend tells the last values, or those at the pointer. While the run goes on they are drawn anew, at
// most every five seconds. All series, with zoom, are on the tab of the metrics.

const POINTS = 400;
const ANEW_MS = 5000;
const [WIDTH, HEIGHT] = [1000, 300];
let box, curves = [], pause, isStale = false;

const sight = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) load(); }, { rootMargin: '300px' });

document.addEventListener('otrace:changed', begin);
document.addEventListener('otrace:output', follow);

function begin() {
  const found = document.querySelector('.curves[data-points]');
  if (found === box) return box && follow();
  sight.disconnect();
  box = found;
  curves = [];
  if (!box) return;
  // Kept, from now on, when the page around it is replaced.
  box.dataset.next = '';
  curves = [...box.querySelectorAll('[data-curve]')].map((figure) => new Curve(figure));
  sight.observe(box);
}

function load() {
  sight.disconnect();
  curves.forEach((curve) => curve.load());
}

function follow() {
  isStale = true;
  if (pause) return;
  isStale = false;
  pause = setTimeout(() => { pause = undefined; if (isStale) follow(); }, ANEW_MS);
  load();
}

async function ask(address, name) {
  const answer = await fetch(`${address}?${new URLSearchParams({ name, points: POINTS })}`, { headers: { accept: 'application/json' } });
  if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
  const { x, y, last } = await answer.json();
  const points = x.map((at, index) => [at, y[index]]);
  return { points, last, shown: points.filter(([, value]) => value !== null) };
}

class Curve {
  constructor(figure) {
    this.figure = figure;
    this.run = box.dataset;
    this.plot = figure.querySelector('svg');
    this.legend = figure.querySelector('.legend');
    this.name = figure.querySelector('figcaption b').textContent;
    this.plot.addEventListener('pointermove', (event) => this.read(this.part(event)));
    this.plot.addEventListener('pointerleave', () => this.read());
  }

  async load() {
    const { curve: name, ofParent } = this.figure.dataset;
    try {
      // The parent's stay as they are once they are here.
      [this.own, this.before] = await Promise.all([
        ask(this.run.points, name),
        this.before ?? (ofParent === undefined ? undefined : ask(this.run.parentPoints, name)),
      ]);
    } catch {
      if (!this.own) this.legend.replaceChildren(item('key', 'Not loaded. The metrics have it.'));
      return;
    }
    this.draw();
  }

  draw() {
    const all = [...this.own.shown, ...(this.before?.shown ?? [])];
    if (all.length === 0) return this.legend.replaceChildren(item('key', 'No value is a number.'));
    this.x = axis(all.map(([at]) => at), 1);
    this.y = axis(all.map(([, value]) => value), 0);
    const lines = [path('rules', this.y.ticks.slice(1).map((tick) => `M0 ${this.up(tick)}H${WIDTH}`).join('')), path('axis', `M0 ${HEIGHT}H${WIDTH}`)];
    if (this.before) lines.push(path('ln before', this.line(this.before)));
    lines.push(path('ln', this.line(this.own)), this.best(), this.cursor = path('cursor', ''));
    this.plot.replaceChildren(...lines.filter(Boolean));
    ticks(this.figure.querySelector('.y'), this.y.ticks.toReversed());
    ticks(this.figure.querySelector('.x'), this.x.ticks);
    this.plot.setAttribute('aria-label', `${this.name} by step: ${this.told().join(', ')}`);
    this.read();
  }

  right(at) {
    return rounded(this.x.place(at) * WIDTH);
  }

  up(value) {
    return rounded(HEIGHT - this.y.place(value) * HEIGHT);
  }

  // With a gap where a value is no number; a point between two gaps is a dot.
  line({ points }) {
    return points.map(([at, value], index) => {
      if (value === null) return '';
      const begins = (points[index - 1]?.[1] ?? null) === null;
      const isAlone = begins && (points[index + 1]?.[1] ?? null) === null;
      return `${begins ? 'M' : 'L'}${this.right(at)} ${this.up(value)}${isAlone ? 'h0' : ''}`;
    }).join('');
  }

  // A dot at the best value, and its words above the chart.
  best() {
    const { best } = this.figure.dataset;
    if (!best || this.own.shown.length === 0) return undefined;
    const [at, value] = this.own.shown.reduce((one, other) => ((best === 'lowest' ? other[1] < one[1] : other[1] > one[1]) ? other : one));
    this.figure.querySelector('[data-about]').textContent = `${best} ${short(value, 4)} at step ${short(at)}`;
    return path('ln end', `M${this.right(at)} ${this.up(value)}h0`);
  }

  told() {
    const names = [[this.run.parent, this.before], [this.run.run, this.own]];
    return names.filter(([, series]) => series).map(([name, { last }]) => `${name} ${last}`);
  }

  part({ clientX }) {
    const { left, width } = this.plot.getBoundingClientRect();
    return (clientX - left) / width;
  }

  // The values at a place from 0 to 1 of the chart's width, else the last ones.
  read(part) {
    if (!this.x) return;
    const at = part === undefined ? undefined : nearest(this.own.shown, this.x.low + part * (this.x.high - this.x.low))?.[0];
    const value = ({ shown, last }) => {
      if (at === undefined) return last;
      const [there, found] = nearest(shown, at) ?? [];
      return found === undefined || Math.abs(there - at) > (this.x.high - this.x.low) / 50 ? 'none' : short(found);
    };
    const keys = [];
    if (this.before) keys.push(item('key before', `${this.run.parent} `, value(this.before)));
    keys.push(item('key c1', `${this.run.run} `, value(this.own)));
    if (at !== undefined) keys.push(item('', `step ${short(at)}`));
    this.legend.replaceChildren(...keys);
    this.cursor.setAttribute('d', at === undefined ? '' : `M${this.right(at)} 0V${HEIGHT}`);
  }
}

// Round numbers around these, as the server chooses them for its charts.
function axis(values, least) {
  let low = values.reduce((one, other) => Math.min(one, other));
  let high = values.reduce((one, other) => Math.max(one, other));
  if (high - low <= Math.max(Math.abs(low), Math.abs(high)) * 1e-9) {
    const room = Math.max(Math.abs(low), Math.abs(high)) / 2 || 0.5;
    [low, high] = [low - room, high + room];
  }
  const wanted = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = Math.max(least, [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((round) => round >= wanted * (1 - 1e-9)) ?? wanted);
  const first = Math.floor(low / step) * step;
  const ticks = [first];
  while (ticks.length < 11 && ticks.at(-1) < high - step * 1e-9) ticks.push(first + ticks.length * step);
  return { low: first, high: ticks.at(-1), ticks, place: (value) => (value - first) / (ticks.at(-1) - first) };
}

function nearest(points, at) {
  return points.reduce((one, other) => (one && Math.abs(one[0] - at) <= Math.abs(other[0] - at) ? one : other), undefined);
}

function ticks(list, values) {
  list.replaceChildren(...values.map((value) => item('', short(value))));
}

function path(name, line) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  element.setAttribute('class', name);
  element.setAttribute('d', line);
  return element;
}

function item(name, text, value) {
  const element = document.createElement('li');
  element.className = name;
  element.append(text);
  if (value !== undefined) element.append(Object.assign(document.createElement('b'), { textContent: value }));
  return element;
}

function rounded(place) {
  return Math.round(place * 10) / 10;
}

function short(value, digits = 6) {
  return Number.isInteger(value) ? value.toLocaleString('en-GB').replaceAll(',', '\u00a0') : String(Number(value.toPrecision(digits)));
}

// The class has to be there.
begin();
