/** The S3 door of `ashlar up`: the file that its process runs. @module */
import { runS3Gateway } from '../s3/s3-process.ts'
import { runChild } from './run-child.ts'

export const ended = runChild(runS3Gateway)
