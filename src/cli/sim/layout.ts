/** `ashlar sim --servers N`: what a loss means for a layout of one's own. @module */
import { AshlarError } from '../../base/errors.ts'
import { simulateLayout } from '../../sim/layout/simulate-layout.ts'
import { tellLayout } from '../../sim/layout/tell-layout.ts'
import type { Output } from '../output.ts'
import { checkLayoutOptions, type RawLayoutOptions } from './layout-options.ts'

/** @param what absent, or `placement` */
export function runLayoutMode(what: string | undefined, raw: RawLayoutOptions, output: Output): void {
  if (what === undefined) runLayout(raw, output)
  else throw new AshlarError('invalid-argument', `Cannot simulate "${what.slice(0, 40)}": there is "sim placement"`)
}

function runLayout(raw: RawLayoutOptions, output: Output): void {
  const options = checkLayoutOptions(raw)
  const report = simulateLayout(options)
  output.object(report)
  for (const line of tellLayout(report, options.kill)) output.line(line)
}
