/** The check of all rows, which the simulator uses too. @module */
export { checkRows, type RowFacts } from '../../src/sim/oracles/namespace-rows.ts'
