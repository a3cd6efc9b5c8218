/**
 * Plants a bug into the process that loads this first (`node --import`): the sources are changed as they are loaded, never
 * on disk. `ASHLAR_PLANTED` names the bug; without it nothing happens. `ASHLAR_PLANTED_CONTROL=yes` plants its ground alone.
 * @module
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { plantedBugs } from './bugs.ts'
import type { PlantedBug } from './grounds.ts'

const source = new URL('../../src/', import.meta.url)

export function bugNamed(name: string): PlantedBug {
  const bug = plantedBugs.find((one) => one.name === name)
  if (bug === undefined) throw new Error(`Cannot plant "${name}": there is no such bug in test/planted/bugs.ts`)
  return bug
}

/** The text of a source file with the bug in it. @throws when an edit does not fit exactly once */
export function withBug(bug: PlantedBug, file: string, text: string): string {
  let changed = text
  for (const edit of [...(bug.ground ?? []), ...bug.edits]) {
    if (edit.file !== file) continue
    const parts = changed.split(edit.find)
    if (parts.length !== 2) {
      throw new Error(`Cannot plant ${bug.name}: its text stands ${parts.length - 1} times in src/${file}, not once`)
    }
    changed = parts.join(edit.replace)
  }
  return changed
}

/** @throws when some edit of the bug does not fit the sources as they are */
export function checkFits(bug: PlantedBug): void {
  for (const file of filesOf(bug)) {
    withBug(bug, file, readFileSync(new URL(file, source), 'utf8'))
  }
}

function filesOf({ ground = [], edits }: PlantedBug): ReadonlySet<string> {
  return new Set([...ground, ...edits].map(({ file }) => file))
}

function plant(bug: PlantedBug): void {
  checkFits(bug)
  const byUrl = new Map([...filesOf(bug)].map((file) => [new URL(file, source).href, file]))
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      const file = byUrl.get(url)
      if (file === undefined) return loaded
      return { ...loaded, source: withBug(bug, file, readFileSync(fileURLToPath(url), 'utf8')) }
    },
  })
}

const wanted = process.env['ASHLAR_PLANTED']
const isControl = process.env['ASHLAR_PLANTED_CONTROL'] === 'yes'
if (wanted !== undefined && wanted !== '') plant(isControl ? { ...bugNamed(wanted), edits: [] } : bugNamed(wanted))
