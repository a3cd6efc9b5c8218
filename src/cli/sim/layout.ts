/** `ashlar sim --servers N`: what a loss means for a layout of one's own; `ashlar sim placement`: strategies compared. @module */
import { AshlarError } from '../../base/errors.ts'
import { comparePlacement } from '../../sim/layout/compare-placement.ts'
import { simulateLayout } from '../../sim/layout/simulate-layout.ts'
import { tellLayout } from '../../sim/layout/tell-layout.ts'
import { placementTables, placementTitle } from '../../sim/layout/tell-placement.ts'
import type { Output } from '../output.ts'
import { formatTable } from '../table.ts'
import { checkLayoutOptions, type RawLayoutOptions } from './layout-options.ts'
import { checkPlacementOptions, type RawPlacementOptions } from './placement-options.ts'

/** @param what absent, or `placement` */
export function runLayoutMode(what: string | undefined, raw: RawPlacementOptions, output: Output): void {
  if (what === undefined) runLayout(raw, output)
  else if (what === 'placement') runPlacement(raw, output)
  else throw new AshlarError('invalid-argument', `Cannot simulate "${what.slice(0, 40)}": there is "sim placement"`)
}

function runLayout(raw: RawLayoutOptions, output: Output): void {
  const options = checkLayoutOptions(raw)
  const report = simulateLayout(options)
  output.object(report)
  for (const line of tellLayout(report, options.kill)) output.line(line)
}

function runPlacement(raw: RawPlacementOptions, output: Output): void {
  const report = comparePlacement({
    ...checkPlacementOptions(raw),
    nowMs: () => performance.now(),
    onStrategy: (name) => output.note(`looking at ${name} …`),
  })
  output.object(report)
  output.line(placementTitle(report))
  for (const { title, header, rows, note } of placementTables(report)) {
    output.line(`\n${title}\n\n${formatTable(header, rows)}\n\n${note}`)
  }
}
