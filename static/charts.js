// The charts of a run's metrics, drawn by uPlot in place of the server's SVG: smoothing, a log scale, steps or time,
// one cursor over all of them, and zoom that asks for more detail (`…/metrics/points`). What is chosen stands in the
// address. Only charts in sight ask; while a run goes on they ask for what is new, at most once a second.
//
// Keys on a chart: arrows move the cursor, Home and End go to the ends, + and - zoom, Esc zooms out.

const ASK_AT_ONCE = 4;
const LIVE_MS = 1000;
const FAINT = 0.3;
const SEEN_AHEAD = '200px';

const state = readAddress();
const dark = matchMedia('(prefers-color-scheme: dark)');
const waiting = [];
let box, charts = [], colours = {}, origin, asking = 0, livePause, liveMore = false;

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const chart = charts.find(({ figure }) => figure === target);
    if (!chart) continue;
    chart.isSeen = isIntersecting;
    if (isIntersecting && chart.isStale) chart.load();
  }
}, { rootMargin: SEEN_AHEAD });
const width = new ResizeObserver((entries) => {
  for (const { target } of entries) charts.find((chart) => chart.place === target)?.fit();
});

document.addEventListener('otrace:changed', () => { if (globalThis.uPlot) begin(); });
document.addEventListener('otrace:output', () => { liveMore = true; follow(); });
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, textarea, select, [contenteditable]')) return;
  const field = box?.querySelector('#q');
  if (field) { event.preventDefault(); field.focus(); }
});
dark.addEventListener('change', repaint);
document.fonts.ready.then(repaint);

// A live page replaces what stands around the charts, and the charts too when some have come or gone.
function begin() {
  const found = document.querySelector('.metrics[data-points]');
  if (found === box) return refresh();
  charts.forEach((chart) => chart.end());
  box = found;
  charts = [];
  if (!box) return;
  readColours();
  origin = 'start' in box.dataset ? Number(box.dataset.start) : undefined;
  // Kept, from now on, when the page around it is replaced.
  box.dataset.next = '';
  tools();
  charts = [...box.querySelectorAll('figure[data-series]')].filter((figure) => figure.querySelector('.plot')).map((figure) => new Chart(figure));
  charts.forEach(({ figure }) => sight.observe(figure));
}

function tools() {
  const smoothing = box.querySelector('#smoothing');
  const log = box.querySelector('#log');
  const told = box.querySelector('output[for=smoothing]');
  box.querySelector('[data-chart-tools]').classList.remove('scripted');
  smoothing.value = state.smoothing;
  told.textContent = state.smoothing.toFixed(2);
  log.checked = state.isLog;
  showZoom();
  smoothing.addEventListener('input', () => {
    state.smoothing = Number(smoothing.value);
    told.textContent = state.smoothing.toFixed(2);
    charts.forEach((chart) => chart.show());
  });
  smoothing.addEventListener('change', writeAddress);
  log.addEventListener('change', () => {
    state.isLog = log.checked;
    writeAddress();
    charts.forEach((chart) => chart.draw());
  });
  box.querySelector('[data-zoom-out]').addEventListener('click', () => zoom());
  box.querySelector('.tools nav').addEventListener('click', (event) => {
    const link = event.target.closest('[data-x]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    for (const other of box.querySelectorAll('.tools [data-x]')) other.toggleAttribute('aria-current', false);
    link.setAttribute('aria-current', 'true');
    state.x = link.dataset.x;
    state.zoom = undefined;
    showZoom();
    writeAddress();
    refresh();
  });
}

function refresh() {
  charts.forEach((chart) => { chart.isStale = true; if (chart.isSeen) chart.load(); });
}

function zoom(from, to) {
  state.zoom = from < to ? { from, to } : undefined;
  showZoom();
  writeAddress();
  // What is there is stretched at once, and the detail follows.
  charts.forEach((chart) => chart.show());
  refresh();
}

function showZoom() {
  box.querySelector('[data-zoom-out]').disabled = !state.zoom;
}

function follow() {
  if (livePause || !liveMore) return;
  liveMore = false;
  livePause = setTimeout(() => { livePause = undefined; follow(); }, LIVE_MS);
  charts.forEach((chart) => { if (chart.isSeen) chart.grow(); else chart.isStale = true; });
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  const number = (name) => (query.has(name) ? Number(query.get(name)) : NaN);
  const [from, to] = [number('from'), number('to')];
  return {
    x: ['time', 'relative'].includes(query.get('x')) ? query.get('x') : 'step',
    smoothing: Math.min(0.99, Math.max(0, number('smoothing') || 0)),
    isLog: query.get('log') === '1',
    zoom: from < to ? { from, to } : undefined,
  };
}

function writeAddress() {
  const url = new URL(location.href);
  const put = (name, value) => (value ? url.searchParams.set(name, value) : url.searchParams.delete(name));
  put('x', state.x === 'step' ? '' : state.x);
  put('smoothing', state.smoothing ? String(state.smoothing) : '');
  put('log', state.isLog ? '1' : '');
  put('from', state.zoom ? String(state.zoom.from) : '');
  put('to', state.zoom ? String(state.zoom.to) : '');
  history.replaceState(history.state, '', url);
}

// A canvas knows no variables: an element does.
function readColours() {
  const probe = document.createElement('span');
  document.body.append(probe);
  for (const [name, token] of [['line', '--s1'], ['text', '--ink-3'], ['rule', '--line'], ['odd', '--bad']]) {
    probe.style.color = `var(${token})`;
    colours[name] = getComputedStyle(probe).color;
  }
  colours.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  probe.remove();
}

function repaint() {
  if (!box) return;
  readColours();
  charts.forEach(({ plot }) => plot?.redraw(false, true));
}

// At most a few questions at once: the stream of events holds one of the few connections.
function ask(query) {
  return new Promise((resolve, reject) => {
    waiting.push({ url: `${box.dataset.points}?${new URLSearchParams(query)}`, resolve, reject });
    answerNext();
  });
}

async function answerNext() {
  if (asking >= ASK_AT_ONCE || waiting.length === 0) return;
  asking += 1;
  const { url, resolve, reject } = waiting.shift();
  try {
    const answer = await fetch(url, { headers: { accept: 'application/json' } });
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
    resolve(await answer.json());
  } catch (error) {
    reject(error);
  } finally {
    asking -= 1;
    answerNext();
  }
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.place = figure.querySelector('.plot');
    this.facts = figure.querySelector('[data-facts]');
    this.words = this.facts.textContent;
    this.label = figure.querySelector('svg').getAttribute('aria-label');
    this.isStale = true;
    this.isSeen = false;
    this.turn = 0;
  }

  // All of what is shown. A later question makes the answer to an earlier one void.
  async load() {
    this.isStale = false;
    const turn = ++this.turn;
    const x = state.x;
    const ends = state.zoom ? { from: this.asked(state.zoom.from), to: this.asked(state.zoom.to) } : {};
    const found = await ask({ ...this.which(), ...ends }).catch(() => undefined);
    if (!found) { this.isStale = true; return; }
    if (turn !== this.turn) return;
    const isOther = x !== this.x;
    this.x = x;
    this.take(found, []);
    if (!this.plot || isOther) this.draw();
    else this.show();
  }

  // What is new at the end.
  async grow() {
    const { points } = this;
    const last = points?.at(-1)?.[0];
    if (last === undefined || points.length > 3 * this.most()) return this.load();
    if (state.zoom) return;
    const turn = ++this.turn;
    const found = await ask({ ...this.which(), from: last }).catch(() => undefined);
    if (!found || turn !== this.turn) return;
    this.take(found, found.x.length ? points.filter(([at]) => at < found.x[0]) : points);
    this.show();
  }

  which() {
    return { name: this.figure.dataset.series, x: state.x === 'step' ? 'step' : 'time', points: this.most() };
  }

  most() {
    return Math.max(200, Math.round(2 * this.place.clientWidth));
  }

  // A place on the axis, as the server counts.
  asked(at) {
    return state.x === 'relative' ? at + (origin ?? 0) : at;
  }

  take(found, before) {
    const odd = new Map(found.odd);
    const points = found.x.map((at, index) => [at, found.y[index], odd.get(index)]);
    // A run that went back to an earlier step has it twice.
    this.points = [...before, ...points].sort(([one], [other]) => one - other);
    if (state.x !== 'step') origin ??= this.points[0]?.[0];
    this.words = found.facts;
    this.figure.querySelector('[data-last]').textContent = found.last;
    const leftOut = this.figure.querySelector('[data-left-out]');
    if (leftOut) leftOut.textContent = found.left_out ?? '';
    if (this.plot?.cursor.idx == null) this.facts.textContent = this.words;
  }

  // What uPlot wants: places, values, smoothed values. What a log scale can't show is a gap too.
  data() {
    const from = state.x === 'relative' ? origin ?? 0 : 0;
    const places = [], values = [], smoothed = [];
    let mean = 0, weight = 0;
    for (const [at, value] of this.points) {
      const isShown = value !== null && !(state.isLog && value <= 0);
      places.push(at - from);
      values.push(isShown ? value : null);
      if (isShown) {
        mean = state.smoothing * mean + (1 - state.smoothing) * value;
        weight = state.smoothing * weight + (1 - state.smoothing);
      }
      smoothed.push(isShown && state.smoothing > 0 ? mean / weight : null);
    }
    return [places, values, smoothed];
  }

  show() {
    if (!this.plot) return;
    this.plot.series[1].alpha = state.smoothing > 0 ? FAINT : 1;
    this.plot.setData(this.data());
  }

  draw() {
    if (!this.points) return;
    this.plot?.destroy();
    if (!this.place.classList.contains('drawn')) this.takeOver();
    this.plot = new uPlot(options(this), this.data(), this.place);
    this.show();
  }

  // The place of the SVG, as large as it was.
  takeOver() {
    this.place.replaceChildren();
    this.place.classList.add('drawn');
    Object.assign(this.place, { tabIndex: 0, role: 'group', ariaLabel: `${this.label}. Arrow keys read the values.` });
    this.place.addEventListener('keydown', (event) => this.key(event));
    this.place.addEventListener('focus', () => { this.facts.ariaLive = 'polite'; });
    this.place.addEventListener('blur', () => { this.facts.ariaLive = 'off'; this.leave(); });
    width.observe(this.place);
  }

  fit() {
    const { clientWidth, clientHeight } = this.place;
    if (this.plot && clientWidth > 0 && clientWidth !== this.plot.width) this.plot.setSize({ width: clientWidth, height: clientHeight });
  }

  leave() {
    this.plot?.setCursor({ left: -10, top: -10 });
  }

  read() {
    const { idx } = this.plot.cursor;
    const point = idx == null ? undefined : this.points[idx];
    if (!point) { this.facts.textContent = this.words; return; }
    const [, value, odd] = point;
    const smooth = this.plot.data[2][idx];
    const told = value === null ? odd ?? 'no value' : shortNumber(value);
    this.facts.textContent = `${placeName(this.plot.data[0][idx])}: ${told}${smooth === null ? '' : ` (smoothed ${shortNumber(smooth)})`}`;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.plot) return;
    const places = this.plot.data[0];
    const idx = this.plot.cursor.idx ?? -1;
    const step = event.shiftKey ? 10 : 1;
    const { min, max } = this.plot.scales.x;
    const go = (index) => {
      const [first, last] = [places.findIndex((at) => at >= min), places.findLastIndex((at) => at <= max)];
      const at = Math.max(first, Math.min(last, index));
      if (at >= 0) this.plot.setCursor({ left: this.plot.valToPos(places[at], 'x'), top: 0 });
    };
    const act = {
      ArrowRight: () => go(idx + step), ArrowLeft: () => go(idx < 0 ? places.length - 1 : idx - step),
      Home: () => go(0), End: () => go(places.length - 1),
      '+': () => this.zoomBy(0.5), '-': () => this.zoomBy(2), Escape: () => { this.leave(); if (state.zoom) zoom(); },
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  zoomBy(factor) {
    const { min, max } = this.plot.scales.x;
    const { idx } = this.plot.cursor;
    const middle = idx == null ? (min + max) / 2 : this.plot.data[0][idx];
    zoom(middle - (middle - min) * factor, middle + (max - middle) * factor);
  }

  end() {
    sight.unobserve(this.figure);
    width.unobserve(this.place);
    this.turn += 1;
    this.plot?.destroy();
  }
}

function options(chart) {
  const axis = { stroke: () => colours.text, font: colours.font, ticks: { show: false } };
  return {
    width: chart.place.clientWidth,
    height: chart.place.clientHeight,
    // Right of the last tick is room for half of its label.
    padding: [8, 24, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: state.x === 'time', range: (plot, min, max) => ends(min, max) },
      y: { distr: state.isLog ? 3 : 1 },
    },
    axes: [
      { ...axis, size: 24, gap: 4, grid: { show: false }, ...(state.x === 'time' ? {} : { values: (plot, ticks) => ticks.map(placeTick) }) },
      {
        ...axis,
        gap: 6,
        grid: { stroke: () => colours.rule, width: 1 },
        values: (plot, ticks) => ticks.map((tick) => (tick === null ? '' : shortNumber(tick))),
        size: (plot, ticks) => 12 + 6.5 * Math.max(1, ...(ticks ?? []).map((tick) => tick?.length ?? 0)),
      },
    ],
    series: [
      {},
      { stroke: () => colours.line, width: 1.6, points: { show: false, filter: (plot, series) => alone(plot.data[series]) } },
      { stroke: () => colours.line, width: 1.6, points: { show: false } },
    ],
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      bind: { dblclick: () => () => { zoom(); return null; } },
      sync: { key: 'metrics', scales: ['x', null], filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave', sub: () => true } },
    },
    hooks: {
      setCursor: [() => { if (chart.plot) chart.read(); }],
      setSelect: [(plot) => {
        const { left, width: wide } = plot.select;
        if (wide < 6) return;
        const [from, to] = [plot.posToVal(left, 'x'), plot.posToVal(left + wide, 'x')];
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        zoom(from, to);
      }],
      draw: [(plot) => markOdd(plot, chart)],
    },
  };
}

function ends(min, max) {
  if (state.zoom) return [state.zoom.from, state.zoom.to];
  if (min === null || max === null) return [0, 1];
  return min === max ? [min - 1, max + 1] : [min, max];
}

// Points between two gaps, which no line shows.
function alone(values) {
  return values.flatMap((value, index) => (value !== null && values[index - 1] == null && values[index + 1] == null ? [index] : []));
}

// A small mark at the bottom for each value that is NaN or infinite, or that a log scale can't show.
function markOdd(plot, chart) {
  const { ctx, bbox } = plot;
  const size = 4 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colours.odd;
  plot.data[1].forEach((value, index) => {
    if (value !== null || !chart.points[index]) return;
    const at = plot.valToPos(plot.data[0][index], 'x', true);
    if (at < bbox.left || at > bbox.left + bbox.width) return;
    const bottom = bbox.top + bbox.height;
    ctx.beginPath();
    ctx.moveTo(at, bottom - 1.5 * size);
    ctx.lineTo(at + size, bottom);
    ctx.lineTo(at - size, bottom);
    ctx.fill();
  });
  ctx.restore();
}

function shortNumber(value) {
  return String(Number(value.toPrecision(4)));
}

function placeTick(at) {
  return state.x === 'relative' ? span(at) : at === null ? '' : Number.isInteger(at) ? at.toLocaleString('en-GB').replaceAll(',', '\u00a0') : '';
}

function placeName(at) {
  if (state.x === 'step') return `step ${placeTick(Math.round(at))}`;
  if (state.x === 'relative') return span(at);
  return new Date(at * 1000).toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

function span(seconds) {
  const size = Math.abs(seconds);
  const [unit, length] = size < 180 ? ['s', 1] : size < 10_800 ? ['min', 60] : size < 259_200 ? ['h', 3600] : ['d', 86_400];
  return `${Number((seconds / length).toPrecision(3))}\u00a0${unit}`;
}

// The class has to be there.
if (globalThis.uPlot) begin();
