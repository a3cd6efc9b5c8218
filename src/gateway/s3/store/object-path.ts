/** Where buckets, objects and what the door keeps for itself lie in the tree. @module */
export { objectPath } from '../../../base/object-path.ts'

/** What the door keeps for itself; no bucket can have such a name. */
export const systemFolder = '/.s3'

export function bucketPath(bucket: string): string {
  return `/${bucket}`
}
