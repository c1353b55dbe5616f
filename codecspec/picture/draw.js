// A model's graph (see compiler/model_graph.py) as SVG text: laid out by dagre, box inside box. The same function draws
// in the browser, where parts fold, and in Python, for a file of SVG.
"use strict";

const SIZE = { line: 15, pad: 8, header: 46, value: 46, font: 11, minWidth: 132, gap: 14, bend: 14 };
const SHOW = { folds: false }; // the marks of what folds, where it does

// What a box shows: its own figures, once more without the zeros.
function compact(count) {
  if (count >= 1e6) return (count / 1e6).toFixed(2) + " M";
  if (count >= 1e3) return (count / 1e3).toFixed(1) + " k";
  return String(count);
}

function figures(box) {
  const said = [];
  if (box.parameters) said.push(compact(box.parameters) + " params");
  if (box.kmacs) said.push(box.kmacs.toFixed(box.kmacs < 10 ? 2 : 1) + " kMAC/px");
  return said.join(" · ");
}

function arrow(flow) {
  return flow.replace(" > ", " → ");
}

function lines(box) {
  return [box.says, arrow(box.flow), figures(box)].filter((line) => line);
}

function textWidth(text, size) {
  let units = 0; // of a wide sans-serif, so that no font overflows its box
  for (const c of text) units += /[ .,:;|il·]/.test(c) ? 0.36 : /[A-Zmw→@%]/.test(c) ? 0.8 : 0.6;
  return units * size;
}

function escapeText(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function isFolded(box, folds) {
  return box.id in folds ? folds[box.id] : box.folded;
}

function isOpen(box, folds) {
  return Boolean(box.children && box.children.length) && !isFolded(box, folds);
}

// Sizes and places: of a box, and of what is in it relative to its corner.
function layout(box, folds) {
  if (box.shape === "value") {
    const width = Math.max(SIZE.value, textWidth(box.flow, SIZE.font) + 4);
    const label = box.flow ? 2 * SIZE.line : 0; // as much above as below: the circle is in the middle
    return { box, width, height: SIZE.value + label, inner: [], edges: [] };
  }
  if (!isOpen(box, folds) && box.id !== "") {
    const title = textWidth(`${box.title}  ${box.meaning}`, SIZE.font + 2) + (box.children.length ? 18 : 0);
    const widths = lines(box).map((line) => textWidth(line, SIZE.font));
    const width = Math.max(SIZE.minWidth, title, ...widths) + 2 * SIZE.pad;
    return { box, width, height: SIZE.line * (lines(box).length + 1) + 2 * SIZE.pad, inner: [], edges: [] };
  }
  return layoutInside(box, box.children.map((child) => layout(child, folds)));
}

function layoutInside(box, inner) {
  const graph = new dagre.graphlib.Graph();
  const across = box.direction === "LR";
  graph.setGraph({ rankdir: box.direction, nodesep: across ? 36 : 22, edgesep: 7, ranksep: across ? 34 : 22 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { box, width, height } of inner) graph.setNode(box.id, { width, height, round: box.shape === "value" });
  for (const [from, to] of box.edges) graph.setEdge(from, to);
  const seen = new Set(graph.edges().map((edge) => `${edge.v} ${edge.w}`));
  if (box.ordered) {
    for (let i = 1; i < inner.length; i++) graph.setEdge(inner[i - 1].box.id, inner[i].box.id, { weight: 1000 });
  }
  dagre.layout(graph);
  const top = box.id === "" ? 0 : SIZE.header;
  const side = box.id === "" ? 4 : SIZE.gap;
  for (const each of inner) {
    const node = graph.node(each.box.id);
    each.x = node.x - each.width / 2 + side;
    each.y = node.y - each.height / 2 + top;
  }
  const shown = graph.edges().filter((edge) => seen.has(`${edge.v} ${edge.w}`)); // the rest keeps the order
  const edges = shown.map((edge) => ({
    from: edge.v,
    to: edge.w,
    points: route(graph, edge, across ? "x" : "y").map((point) => ({ x: point.x + side, y: point.y + top })),
  }));
  const title = box.id === "" ? 0 : textWidth(`${box.title}  ${box.meaning}`, SIZE.font + 2) + 44;
  const said = box.id === "" ? 0 : textWidth(lines(box).join(" · "), SIZE.font) + 2 * SIZE.pad;
  const wanted = Math.max(title, said, graph.graph().width + 2 * side);
  const shift = (wanted - graph.graph().width - 2 * side) / 2;
  for (const each of inner) each.x += shift;
  for (const edge of edges) for (const point of edge.points) point.x += shift;
  return { box, width: wanted, height: graph.graph().height + top + side, inner, edges };
}

// The points of an edge: straight past the boxes of a rank, however tall one is, and turning between ranks only. At a
// circle it ends on the circle, where dagre knows a rectangle.
function route(graph, edge, along) {
  const size = along === "x" ? "width" : "height";
  const halves = new Map(); // where a rank is -> half of its largest box
  for (const node of graph.nodes().map((id) => graph.node(id))) {
    const at = round(node[along]);
    halves.set(at, Math.max(halves.get(at) || 0, node[size] / 2));
  }
  const past = (point) => {
    const half = halves.get(round(point[along])) || 0;
    return half ? [{ ...point, [along]: point[along] - half }, { ...point, [along]: point[along] + half }] : [point];
  };
  const all = graph.edge(edge).points;
  const inner = all.slice(1, -1).flatMap(past);
  const [first, last] = [leave(graph.node(edge.v), all[0], inner[0]), leave(graph.node(edge.w), all[all.length - 1], inner[inner.length - 1])];
  return [first, ...inner, last];
}

function leave(node, point, toward) {
  if (!node.round) return point;
  const [x, y] = [toward.x - node.x, toward.y - node.y];
  const part = (SIZE.value / 2 - 4) / Math.hypot(x, y);
  return { x: node.x + part * x, y: node.y + part * y };
}

// Straight lines with round corners.
function curve(points) {
  const toward = (from, to, distance) => {
    const part = Math.min(0.5, distance / (Math.hypot(to.x - from.x, to.y - from.y) || 1));
    return `${round(from.x + part * (to.x - from.x))} ${round(from.y + part * (to.y - from.y))}`;
  };
  let path = `M${round(points[0].x)} ${round(points[0].y)}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [before, corner, after] = points.slice(i - 1, i + 2);
    path += `L${toward(corner, before, SIZE.bend)}Q${round(corner.x)} ${round(corner.y)} ${toward(corner, after, SIZE.bend)}`;
  }
  const last = points[points.length - 1];
  return `${path}L${round(last.x)} ${round(last.y)}`;
}

function round(number) {
  return Math.round(number * 10) / 10;
}

function text(x, y, words, cls) {
  return `<text x="${round(x)}" y="${round(y)}" class="${cls}">${words}</text>`;
}

function drawEdges(edges) {
  return edges
    .map((edge) => {
      const data = `data-from="${escapeText(edge.from)}" data-to="${escapeText(edge.to)}"`;
      return `<path class="edge" ${data} d="${curve(edge.points)}" marker-end="url(#arrow)"/>`;
    })
    .join("");
}

function drawValue(placed) {
  const { box, width, height } = placed;
  const [x, y] = [width / 2, height / 2];
  const hat = box.title.endsWith("_hat") ? text(x, y - 3, "^", "hat") : "";
  const circle = `<circle cx="${round(x)}" cy="${round(y)}" r="${SIZE.value / 2 - 4}"/>`;
  const symbol = text(x, y + 6, escapeText(box.title.replace("_hat", "")), "symbol");
  return circle + hat + symbol + text(x, y + SIZE.value / 2 + 8, escapeText(box.flow), "center");
}

function heading(box, fold) {
  const meaning = box.meaning ? ` <tspan class="meaning">${escapeText(box.meaning)}</tspan>` : "";
  const mark = fold ? `<tspan class="fold">${fold}</tspan> ` : "";
  return `${mark}<tspan class="title">${escapeText(box.title)}</tspan>${meaning}`;
}

function drawBox(placed) {
  const { box, width, height } = placed;
  const open = placed.inner.length > 0;
  let out = `<rect width="${round(width)}" height="${round(height)}" rx="6"/>`;
  out += text(SIZE.pad, SIZE.pad + SIZE.line - 4, heading(box, SHOW.folds && box.children.length ? (open ? "▾" : "▸") : ""), "head");
  const below = open ? [lines(box).join(" · ")] : lines(box);
  below.forEach((line, i) => {
    out += text(SIZE.pad, SIZE.pad + SIZE.line * (i + 2) - 4, escapeText(line), "line");
  });
  return out;
}

function draw(placed) {
  const { box } = placed;
  const classes = [box.shape, box.part || "", placed.inner.length ? "open" : "closed", `kind-${box.kind || "value"}`];
  if (box.children && box.children.length) classes.push("foldable");
  const title = `<title>${escapeText([box.id, box.meaning || box.says].filter((word) => word).join(": "))}</title>`;
  const inside = drawEdges(placed.edges) + placed.inner.map(draw).join("");
  const own = box.shape === "value" ? drawValue(placed) : drawBox(placed);
  const at = `transform="translate(${round(placed.x)} ${round(placed.y)})"`;
  return `<g class="${classes.join(" ")}" data-id="${escapeText(box.id)}" ${at}>${title}${own}${inside}</g>`;
}

// The whole picture. `folds`: by id of a box, whether it is folded; where nothing is said, as the graph says.
function picture(graph, folds, style) {
  const placed = layout(graph.root, folds);
  const paper = [graph.title, graph.venue].filter((word) => word).join(", ");
  const beside = graph.aux_parameters ? ` (and ${compact(graph.aux_parameters)} for training only)` : "";
  const sum = `${compact(graph.parameters)} parameters${beside} · ${graph.kmacs.toFixed(1)} kMAC/px`;
  const said = [sum, paper].filter((word) => word).join(" · ");
  const caption = text(12, 24, escapeText(graph.name), "name") + text(12, 42, escapeText(said), "line");
  const wide = Math.max(placed.width, textWidth(said, SIZE.font), textWidth(graph.name, 18));
  const [width, height] = [Math.ceil(wide + 24), Math.ceil(placed.height + 60)];
  const marker =
    '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto-start-reverse">' +
    '<path class="tip" d="M0 0.8L8 4L0 7.2z"/></marker>';
  const inside = drawEdges(placed.edges) + placed.inner.map(draw).join("");
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" class="model" role="img">` +
    `<title>${escapeText(graph.name)}</title><style>${style}</style><defs>${marker}</defs>` +
    `<rect class="paper" width="${width}" height="${height}"/>${caption}<g transform="translate(12 54)">${inside}</g></svg>`
  );
}
