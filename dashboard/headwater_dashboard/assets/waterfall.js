// A flow's waterfall on a canvas: only the rows in sight are drawn, whatever the number of spans.
window.HeadwaterWaterfall = class {
  constructor(place, data, onSelect, onAxis) {
    this.place = place; this.onSelect = onSelect; this.onAxis = onAxis;
    this.folded = new Set(); this.waited = new Set();
    this.from = 0; this.to = 1; this.top = 0; this.cursor = 0;
    place.replaceChildren();
    this.canvas = document.createElement('canvas');
    this.grid = document.createElement('div');
    this.grid.className = 'grid'; this.grid.setAttribute('role', 'treegrid');
    place.append(this.canvas, this.grid);
    this.pen = this.canvas.getContext('2d');
    place.onkeydown = (event) => this.key(event);
    place.onwheel = (event) => this.wheel(event);
    place.onpointerdown = (event) => this.down(event);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(place);
    this.load(data);
  }
  static get ROW() { return 22; }
  static get HEAD() { return 46; }
  load(data) {
    const before = this.data && this.rows.length ? this.data.id[this.rows[this.cursor]] : null;
    if (!this.data) this.elastic = data.elastic;
    this.data = data;
    this.reflow();
    if (before) this.select(before, false); else this.draw();
  }
  reflow() {
    this.rows = []; let hiddenBelow = null;
    for (let i = 0; i < this.data.id.length; i++) {
      if (hiddenBelow !== null && this.data.depth[i] > hiddenBelow) continue;
      hiddenBelow = this.folded.has(this.data.id[i]) ? this.data.depth[i] : null;
      this.rows.push(i);
    }
    this.cursor = Math.min(this.cursor, Math.max(this.rows.length - 1, 0));
  }
  select(id, tell = true) {
    const at = this.rows.findIndex((i) => this.data.id[i] === id);
    if (at >= 0) this.move(at, tell); else this.draw();
    return at >= 0;
  }
  move(at, tell = true) {
    this.cursor = Math.max(0, Math.min(this.rows.length - 1, at));
    const page = this.page();
    if (this.cursor < this.top) this.top = this.cursor;
    if (this.cursor >= this.top + page) this.top = this.cursor - page + 1;
    this.draw();
    const i = this.rows[this.cursor];
    if (tell && i !== undefined) this.onSelect(this.data.trace[i], this.data.id[i]);
  }
  page() { return Math.max(1, Math.floor((this.place.clientHeight - HeadwaterWaterfall.HEAD) / HeadwaterWaterfall.ROW)); }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const d = this.data, step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: this.page(), PageUp: -this.page() }[event.key];
    if (step) this.move(this.cursor + step);
    else if (event.key === 'g' || event.key === 'Home') this.move(0);
    else if (event.key === 'G' || event.key === 'End') this.move(this.rows.length - 1);
    else if (event.key === 'z' || event.key === 'Enter') this.fold();
    else if (event.key === 'e') this.otherAxis();
    else if (event.key === 'n' || event.key === 'N') {
      const way = event.key === 'n' ? 1 : -1;
      for (let at = this.cursor + way; at >= 0 && at < this.rows.length; at += way)
        if (d.error[this.rows[at]]) { this.move(at); break; }
    } else if (event.key === 'w') this.longestWait();
    else if (event.key === '+' || event.key === '=') this.zoom(0.5);
    else if (event.key === '-') this.zoom(2);
    else if (event.key === 'h' || event.key === 'ArrowLeft') this.pan(-0.2);
    else if (event.key === 'l' || event.key === 'ArrowRight') this.pan(0.2);
    else return;
    event.preventDefault(); event.stopPropagation();
  }
  otherAxis() {
    if (!this.data.gaps.length) return;
    this.elastic = !this.elastic;
    this.onAxis(this.elastic ? 'elastic' : 'linear');
    this.draw();
  }
  // Where the axis shown has a share of the flow's time.
  along(share) {
    if (!this.elastic) return share;
    const knots = this.data.knots;
    let low = 0, high = knots.length - 1;
    while (high - low > 1) { const mid = (low + high) >> 1; if (knots[mid][0] <= share) low = mid; else high = mid; }
    const [a, x] = knots[low], [b, y] = knots[high];
    return x + (y - x) * (share - a) / (b - a);
  }
  longestWait() {
    let best = -1, most = 0;
    this.rows.forEach((i, at) => {
      const ms = this.data.waits[i].reduce((sum, wait) => sum + wait.ms, 0);
      if (ms > most && !this.waited.has(this.data.id[i])) { most = ms; best = at; }
    });
    if (best < 0) { this.waited.clear(); return; }
    this.waited.add(this.data.id[this.rows[best]]);
    this.move(best);
  }
  fold() {
    const i = this.rows[this.cursor], id = this.data.id[i];
    if (i === undefined || !this.data.children[i]) return;
    if (!this.folded.delete(id)) this.folded.add(id);
    this.reflow(); this.draw();
  }
  zoom(factor) {
    const i = this.rows[this.cursor] || 0, middle = (this.along(this.data.from[i]) + this.along(this.data.to[i])) / 2;
    const half = Math.min((this.to - this.from) * factor, 1) / 2;
    this.view(middle - half, middle + half);
  }
  pan(share) { const shift = (this.to - this.from) * share; this.view(this.from + shift, this.to + shift); }
  view(from, to) {
    const width = Math.min(Math.max(to - from, 1e-6), 1);
    this.from = Math.max(0, Math.min(from, 1 - width)); this.to = this.from + width;
    this.draw();
  }
  wheel(event) {
    event.preventDefault();
    if (event.ctrlKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8);
    else {
      this.top = Math.max(0, Math.min(this.rows.length - this.page(), this.top + Math.sign(event.deltaY) * 3));
      this.draw();
    }
  }
  down(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    this.place.focus();
    if (y < HeadwaterWaterfall.HEAD) {
      this.otherAxis();
      return;
    }
    const at = this.top + Math.floor((y - HeadwaterWaterfall.HEAD) / HeadwaterWaterfall.ROW);
    if (at < this.rows.length) {
      const again = at === this.cursor;
      this.move(at);
      if (again && x < 18 + Math.min(this.data.depth[this.rows[at]], 16) * 12) this.fold();
    }
    const start = event.clientX, from = this.from, to = this.to, width = this.canvas.clientWidth - this.names();
    const drag = (e) => { const shift = (start - e.clientX) / width * (to - from); this.view(from + shift, to + shift); };
    const up = () => { removeEventListener('pointermove', drag); removeEventListener('pointerup', up); };
    addEventListener('pointermove', drag); addEventListener('pointerup', up);
  }
  names() { return Math.min(420, Math.max(180, this.place.clientWidth * 0.36)); }
  draw() {
    const d = this.data, pen = this.pen, scale = devicePixelRatio || 1, ROW = HeadwaterWaterfall.ROW, HEAD = HeadwaterWaterfall.HEAD;
    const W = this.place.clientWidth, H = this.place.clientHeight, names = this.names();
    if (!W || !H || !d) return;
    this.canvas.width = W * scale; this.canvas.height = H * scale;
    this.canvas.style.width = W + 'px'; this.canvas.style.height = H + 'px';
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue('--hw-' + name).trim();
    const text = colour('text'), quiet = colour('quiet'), bad = colour('bad'), line = colour('line'), panel = colour('panel'), page = colour('page');
    pen.fillStyle = page; pen.fillRect(0, 0, W, H);
    pen.font = '12px system-ui, sans-serif'; pen.textBaseline = 'middle';
    const at = (share) => names + (W - names - 8) * (this.along(share) - this.from) / (this.to - this.from);
    this.overview(d, names, W, quiet, bad, panel, line);
    pen.save(); pen.beginPath(); pen.rect(names, 0, W - names, H); pen.clip();
    for (const gap of this.elastic ? d.gaps : []) {
      const x = at(gap.from), w = at(gap.to) - x;
      pen.fillStyle = panel; pen.fillRect(x, HEAD - 18, w, H);
      pen.fillStyle = quiet; pen.textAlign = 'center'; pen.fillText('≈ ' + gap.text, x + w / 2, HEAD - 9, Math.max(w, 60)); pen.textAlign = 'left';
    }
    pen.restore();
    this.drawn = 0;
    for (let r = 0; r <= this.page(); r++) {
      const position = this.top + r, i = this.rows[position];
      if (i === undefined) break;
      this.drawn++;
      const y = HEAD + r * ROW, middle = y + ROW / 2;
      if (position === this.cursor) { pen.fillStyle = line; pen.fillRect(0, y, W, ROW); }
      this.name(d, i, middle, names, text, quiet, bad);
      pen.save(); pen.beginPath(); pen.rect(names, y, W - names, ROW); pen.clip();
      let label = ' ' + d.duration[i], shorter = label, first = Infinity;
      for (const wait of d.waits[i]) {
        const a = at(wait.from), b = Math.max(at(wait.to), a + 2);
        pen.strokeStyle = quiet; pen.lineWidth = wait.kind === 'backoff' ? 2 : 1.5;
        pen.setLineDash(wait.kind === 'backoff' ? [2, 5] : [4, 3]);
        pen.beginPath(); pen.moveTo(a, middle); pen.lineTo(b, middle); pen.stroke(); pen.setLineDash([]);
        const word = wait.kind === 'backoff' ? ', back-off ' : ' after ';
        label += word + wait.text; shorter += word + wait.duration;
        first = Math.min(first, a);
      }
      const x = at(d.from[i]), w = Math.max(2, at(d.to[i]) - x);
      pen.fillStyle = d.error[i] ? bad : d.colour[i]; pen.fillRect(x, y + 4, w, ROW - 8);
      pen.fillStyle = quiet;
      // Right of the bar or left of its waits, as much as there is room for.
      for (const words of [label, shorter, ' ' + d.duration[i]]) {
        const needed = pen.measureText(words).width, left = Math.min(first, x) - 4;
        const right = needed <= W - x - w - 8;
        if (!right && needed > left - names) continue;
        if (words === ' ' + d.duration[i]) this.onWaits(d.waits[i], at, middle, position === this.cursor ? line : page, quiet);
        if (right) pen.fillText(words, x + w + 3, middle);
        else { pen.textAlign = 'right'; pen.fillText(words, left, middle); pen.textAlign = 'left'; }
        break;
      }
      pen.restore();
    }
    this.describe(d);
  }
  onWaits(waits, at, y, ground, ink) {
    const pen = this.pen;
    for (const wait of waits) {
      const a = at(wait.from), b = at(wait.to), needed = pen.measureText(wait.text).width + 8;
      if (needed > b - a - 16) continue;
      const x = (a + b - needed) / 2;
      pen.fillStyle = ground; pen.fillRect(x, y - 8, needed, 16);
      pen.fillStyle = ink; pen.fillText(wait.text, x + 4, y);
    }
  }
  name(d, i, y, names, text, quiet, bad) {
    const pen = this.pen, indent = 6 + Math.min(d.depth[i], 16) * 12;
    const fold = d.children[i] ? (this.folded.has(d.id[i]) ? '▸ ' : '▾ ') : '   ';
    const glyph = d.error[i] ? '✗ ' : d.attempt[i] > 1 ? '⟳ ' : '';
    const service = d.service[i] || '';
    pen.save(); pen.beginPath(); pen.rect(0, y - 11, names - 4, 22); pen.clip();
    const width = Math.min(pen.measureText(service).width, names * 0.4);
    pen.fillStyle = d.error[i] ? bad : text;
    pen.save(); pen.beginPath(); pen.rect(0, y - 11, names - width - 14, 22); pen.clip();
    pen.fillText(fold + glyph + (d.asynchronous[i] ? '⇢ ' : '') + d.name[i], indent, y); pen.restore();
    pen.fillStyle = d.colour[i]; pen.fillRect(names - width - 14, y - 4, 4, 8);
    pen.fillStyle = quiet; pen.textAlign = 'right'; pen.fillText(service, names - 6, y, names * 0.4); pen.textAlign = 'left';
    pen.restore();
  }
  overview(d, names, W, quiet, bad, panel, line) {
    const pen = this.pen, n = d.id.length, high = 24;
    pen.fillStyle = panel; pen.fillRect(names, 0, W - names, high);
    const step = Math.max(1, Math.floor(n / 2000));
    for (let i = 0; i < n; i += step) {
      const from = this.along(d.from[i]), x = names + (W - names - 8) * from;
      const w = Math.max(1, (W - names - 8) * (this.along(d.to[i]) - from));
      pen.fillStyle = d.error[i] ? bad : d.colour[i];
      pen.fillRect(x, i / n * high, w, Math.max(1, high / n));
    }
    pen.strokeStyle = quiet; pen.lineWidth = 1;
    pen.strokeRect(names + (W - names - 8) * this.from, 0.5, (W - names - 8) * (this.to - this.from), high - 1);
    pen.fillStyle = quiet; pen.fillText(`${n} spans` + (this.elastic ? ', idle time folded' : ''), 6, 12);
  }
  describe(d) {
    // The canvas is a picture; these rows are what a screen reader finds.
    this.grid.setAttribute('aria-rowcount', this.rows.length);
    const rows = [];
    for (let r = 0; r < this.page() && this.top + r < this.rows.length; r++) {
      const i = this.rows[this.top + r], row = document.createElement('div'), cell = document.createElement('span');
      row.setAttribute('role', 'row'); row.setAttribute('aria-level', d.depth[i] + 1);
      row.setAttribute('aria-rowindex', this.top + r + 1);
      row.setAttribute('aria-selected', this.top + r === this.cursor);
      cell.setAttribute('role', 'gridcell');
      cell.textContent = `${d.service[i]}: ${d.name[i]}, ${d.duration[i]}${d.error[i] ? ', error' : ''}` +
        d.waits[i].map((wait) => `, ${wait.kind} ${wait.text}`).join('');
      row.append(cell); rows.push(row);
    }
    this.grid.replaceChildren(...rows);
  }
};
