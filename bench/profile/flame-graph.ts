/**
 * A CPU profile of V8 as a flame graph in SVG: width is CPU time, callees stand on their callers. Idle time is left out, and so is what
 * took less than a thousandth. A pointer over a box shows its name and share.
 * @module
 */

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface Frame {
  readonly name: string
  readonly place: string
  /** Microseconds, with callees. */
  totalUs: number
  readonly callees: Map<string, Frame>
}

const width = 1_600
const rowHeight = 17
const leastShare = 0.001
const idle = new Set(['(idle)', '(program)'])

export function flameGraph(profile: CpuProfile, title: string): string {
  const root = framesOf(profile)
  const boxes: string[] = []
  const depth = draw(root, { x: 0, row: 0, usPerPixel: root.totalUs / width, root, boxes })
  const height = (depth + 2) * rowHeight
  const heading = `${escapeXml(title)}: ${(root.totalUs / 1e6).toFixed(2)} s of CPU`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/><text x="4" y="12" font-size="13">${heading}</text>
<g transform="translate(0 ${1.2 * rowHeight})">
${boxes.join('\n')}
</g>
</svg>
`
}

/** Calls of one function from one caller are one frame, wherever in it they are. */
function framesOf({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const root: Frame = { name: 'all', place: '', totalUs: 0, callees: new Map() }
  const paths = new Map<number, readonly Frame[]>()
  const byId = new Map(nodes.map((node) => [node.id, node]))
  // Callers stand before their callees.
  for (const node of nodes) {
    const callers = paths.get(node.id) ?? [root]
    for (const child of node.children ?? []) {
      const callee = byId.get(child)
      if (callee !== undefined) paths.set(child, [...callers, calleeOf(callers.at(-1) as Frame, callee)])
    }
  }
  for (const [index, sample] of samples.entries()) {
    if (idle.has(byId.get(sample)?.callFrame.functionName ?? '')) continue
    for (const frame of paths.get(sample) ?? [root]) frame.totalUs += timeDeltas[index] as number
  }
  return root
}

function calleeOf(caller: Frame, { callFrame }: ProfileNode): Frame {
  const { functionName, url, lineNumber } = callFrame
  const name = functionName || '(anonymous)'
  const place = url === '' ? '' : `${url.replace(/^.*\/(src|bench|node_modules)\//, '$1/')}:${lineNumber + 1}`
  const key = `${name} ${place}`
  const known = caller.callees.get(key)
  if (known !== undefined) return known
  const frame = { name, place, totalUs: 0, callees: new Map() }
  caller.callees.set(key, frame)
  return frame
}

interface Drawing {
  readonly x: number
  readonly row: number
  readonly usPerPixel: number
  readonly root: Frame
  readonly boxes: string[]
}

/** @returns the deepest row */
function draw(frame: Frame, drawing: Drawing): number {
  const { x, row, usPerPixel, root, boxes } = drawing
  const boxWidth = frame.totalUs / usPerPixel
  const share = frame.totalUs / root.totalUs
  if (!(share >= leastShare)) return row
  const label = frame.name.slice(0, Math.floor(boxWidth / 6.2))
  const said = `${frame.name} ${frame.place}: ${(frame.totalUs / 1000).toFixed(1)} ms, ${(100 * share).toFixed(1)} %`
  const y = row * rowHeight
  boxes.push(
    `<g><title>${escapeXml(said)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${boxWidth.toFixed(1)}" height="${rowHeight - 1}" fill="${colour(frame)}"/>` +
      `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escapeXml(label)}</text></g>`,
  )
  let deepest = row
  let left = x
  for (const callee of [...frame.callees.values()].sort((a, b) => b.totalUs - a.totalUs)) {
    deepest = Math.max(deepest, draw(callee, { ...drawing, x: left, row: row + 1 }))
    left += callee.totalUs / usPerPixel
  }
  return deepest
}

/** Our code, packages, Node, and what is no code of anybody. */
function colour({ place }: Frame): string {
  if (place.startsWith('src/') || place.startsWith('bench/')) return '#f0a35e'
  if (place.startsWith('node_modules/')) return '#e8d27a'
  return place === '' ? '#d5d5d5' : '#9cc4e4'
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
