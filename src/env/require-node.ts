/**
 * Refuses a Node that is too old, by name, before anything below fails with a syntax error or a missing module.
 * Each door of the package imports it first, for its effect, and the rest of itself dynamically: static imports are
 * linked before anything runs.
 * @module
 */
import { AshlarError } from '../base/errors.ts'

const oldestNode = 24

if (Number.parseInt(process.versions.node, 10) < oldestNode) {
  throw new AshlarError(
    'not-supported',
    `Cannot load ashlar: this is Node ${process.versions.node}, and ashlar needs Node ${oldestNode} or newer. Install it from https://nodejs.org`,
  )
}
