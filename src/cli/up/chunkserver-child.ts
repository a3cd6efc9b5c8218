/** A chunk server of `ashlar up`: the file that its process runs. @module */
import { runChunkServer } from '../servers/chunkserver-process.ts'
import { runChild } from './run-child.ts'

export const ended = runChild(runChunkServer)
