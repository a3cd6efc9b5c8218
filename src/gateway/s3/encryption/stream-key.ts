/** The key of one encrypted stream: derived from the data key, and from the stream's own random header. @module */
import { hkdfSync } from 'node:crypto'

export const keyBytes = 32

/** @param header all of it: so that nothing in it can be changed unseen */
export function streamKey(dataKey: Uint8Array, header: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', dataKey, header, 'ashlar s3 stream', keyBytes))
}
