/** The master of `ashlar up`: the file that its process runs. @module */
import { runMaster } from '../servers/master-process.ts'
import { runChild } from './run-child.ts'

export const ended = runChild(runMaster)
