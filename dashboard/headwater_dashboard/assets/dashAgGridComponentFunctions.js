// What stands in the cells of the grids.
window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {};
window.dashAgGridFunctions = window.dashAgGridFunctions || {};
(function () {
  const STATES = { ok: ['✓', 'good'], error: ['✗', 'bad'], open: ['…', 'busy'] };
  dashAgGridComponentFunctions.FlowLink = function (props) {
    return React.createElement('a', { href: '/flow/' + props.data.flow_id }, props.value);
  };
  dashAgGridComponentFunctions.Status = function (props) {
    const [glyph, tone] = STATES[props.value] || ['?', 'quiet'];
    return React.createElement('span', { className: 'status ' + tone }, glyph + ' ' + props.value);
  };
  // The same figures as analysis's format.duration_ms.
  dashAgGridFunctions.hwDuration = function (ms) {
    if (ms === null || ms === undefined) return '–';
    if (ms < 1) return Math.round(ms * 1000) + ' µs';
    if (ms < 10) return ms.toFixed(1) + ' ms';
    if (ms < 999.5) return Math.round(ms) + ' ms';
    const s = ms / 1000;
    if (s < 9.995) return s.toFixed(2) + ' s';
    if (s < 59.95) return s.toFixed(1) + ' s';
    const whole = Math.round(s), m = Math.floor(whole / 60);
    if (m < 60) return m + ' min ' + String(whole % 60).padStart(2, '0') + ' s';
    return Math.floor(m / 60) + ' h ' + String(m % 60).padStart(2, '0') + ' min';
  };
})();
