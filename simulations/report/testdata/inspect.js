// Looks at pages in a browser and leaves what it finds in the page, for the test to read.
function inspect(name, win) {
  const doc = win.document, seen = new Set(), twice = [];
  for (const e of doc.querySelectorAll('[id]')) {
    if (seen.has(e.id)) twice.push(e.id);
    seen.add(e.id);
  }
  const inside = (r, a) => r.left >= a.left - 2 && r.right <= a.right + 2 && r.top >= a.top - 2 && r.bottom <= a.bottom + 2;
  const charts = [...doc.querySelectorAll('svg.chart')].map(svg => {
    const area = svg.getBoundingClientRect(), drawn = svg.getBBox();
    const data = [...svg.querySelectorAll('path')].filter(p => /var\(--c\d/.test(p.getAttribute('style')));
    const rects = data.map(p => p.getBoundingClientRect());
    return {
      figure: svg.closest('figure').id,
      width: area.width, height: area.height, drawn: drawn.width * drawn.height,
      data: rects.filter(r => r.width + r.height > 1 && inside(r, area)).length,
      outside: rects.filter(r => !inside(r, area)).length,
      textsOutside: [...svg.querySelectorAll('text')].filter(t => !inside(t.getBoundingClientRect(), area)).map(t => t.textContent),
      smallest: Math.min(...[...svg.querySelectorAll('text')].map(t => t.getBoundingClientRect().height)),
      named: svg.getAttribute('aria-labelledby').split(' ').every(id => doc.getElementById(id)?.textContent.length > 3),
    };
  });
  return {
    name, charts, twice, width: win.innerWidth, scroll: doc.documentElement.scrollWidth,
    figures: doc.querySelectorAll('figure').length, empty: doc.querySelectorAll('figure > .empty').length,
    requests: win.performance.getEntriesByType('resource').map(r => r.name),
    alerts: win.hostile || 0,
    background: win.getComputedStyle(doc.body).backgroundColor,
  };
}
addEventListener('load', () => {
  const frames = [...document.querySelectorAll('iframe.page')];
  const found = frames.length ? frames.map(f => inspect(f.title, f.contentWindow)) : [inspect('page', window)];
  const out = document.createElement('pre');
  out.id = 'findings';
  out.hidden = true;
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
