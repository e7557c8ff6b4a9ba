// What runs in the browser beside Dash: the badge, the colours, the keys, and the waterfall's connection to Dash.
window.dash_clientside = window.dash_clientside || {};
window.__headwater = { waterfall: null };
(function () {
  let heard = 0, last = null, applied = null;
  const set = (id, props) => dash_clientside.set_props(id, props);
  const scheme = (wish) => wish === 'system' ? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light') : wish;

  dash_clientside.headwater = {
    badge(news, paused) {
      const now = Date.now();
      if (news && news !== last) { last = news; heard = now; if (news.by === 'socket') window.__headwater.socket = now; }
      const socket = window.__headwater.socket || 0, polling = now - socket > 8000;
      const silent = heard && now - heard > 15000;
      const off = !polling;
      if (last && last.error) return ['✗ disconnected: ' + last.error, 'badge disconnected', off];
      if (silent || (last && last.age > 60)) return ['▲ stale', 'badge stale', off];
      if (paused) return ['⏸ paused', 'badge paused', off];
      if (!last) return ['…', 'badge', !(performance.now() > 5000)];
      return [polling ? '● polling' : '● live', 'badge live', off];
    },
    scheme(wish) {
      wish = wish || 'system';
      localStorage.setItem('headwater-scheme', wish);
      const now = scheme(wish);
      document.documentElement.setAttribute('data-mantine-color-scheme', now);
      document.documentElement.setAttribute('data-ag-theme-mode', now);
      if (window.__headwater.waterfall) window.__headwater.waterfall.draw();
      return [now, now];
    },
    draw(data, chosen) {
      const place = document.getElementById('waterfall');
      if (!place || !data) return dash_clientside.no_update;
      const kept = window.__headwater.waterfall;
      if (kept && kept.place === place) { kept.load(data); return data.id.length; }
      const select = (trace, span) => {
        // Not within Dash's own turn: what is set there is lost.
        setTimeout(() => set('flow-span', { data: { trace, span } }), 0);
        const url = new URL(location.href); url.searchParams.set('span', span);
        history.replaceState(history.state, '', url);
      };
      const axis = (wish) => {
        const url = new URL(location.href); url.searchParams.set('axis', wish);
        history.replaceState(history.state, '', url);
      };
      const fall = window.__headwater.waterfall = new HeadwaterWaterfall(place, data, select, axis);
      const wanted = chosen && chosen.span;
      if (wanted && !fall.select(wanted)) place.insertAdjacentHTML('beforebegin', '<div class="chip warn">The span of this address is not stored (any more).</div>');
      else if (!wanted) fall.move(0);
      place.focus();
      return data.id.length;
    },
  };

  const KEYS = '1 Overview   3 Flows   5 Queues   6 Dead letters   8 SQL\n' +
    'Space pauses and resumes   / filter   : go to   u copies this address\n' +
    'waterfall: j k g G  z fold  e axis  n N errors  w longest wait  + − zoom  h l pan\n? closes this';
  const places = { 1: '/', 3: '/flows', 5: '/queues', 6: '/dead-letters', 8: '/sql' };
  let paused = false;
  addEventListener('keydown', (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
    if (event.target.id === 'sql-text' && event.ctrlKey && event.key === 'Enter') { document.getElementById('sql-run').click(); return; }
    if (event.target.id === 'go' && event.key === 'Enter' && event.target.value.trim()) {
      const text = event.target.value.trim();
      location.assign(text.startsWith('/') ? text : '/go/' + encodeURIComponent(text)); return;
    }
    if (event.key === 'Escape' && typing) { event.target.blur(); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (places[event.key]) location.assign(places[event.key]);
    else if (event.key === ' ') { paused = !paused; set('paused', { data: paused }); }
    else if (event.key === '/') { const box = document.getElementById('flows-filter'); if (box) box.focus(); else return; }
    else if (event.key === ':') document.getElementById('go').focus();
    else if (event.key === 'u') navigator.clipboard && navigator.clipboard.writeText(location.href);
    else if (event.key === '?') {
      const sheet = document.getElementById('keys');
      sheet.textContent = KEYS; sheet.hidden = !sheet.hidden;
    } else return;
    event.preventDefault();
  });
})();
