/**
 * Version ids as S3's clients see them: the number that the store gives a version, in hex; `null` for the version without.
 * @module
 */
import type { FileStats } from '../../../client/index.ts'
import { nullVersionId } from '../rules/versioning.ts'

/** How the store names the null version. */
export const nullVersion = 0

export function versionIdOf({ objectVersion }: Pick<FileStats, 'objectVersion'>): string {
  return versionIdOfNumber(objectVersion ?? nullVersion)
}

export function versionIdOfNumber(objectVersion: number): string {
  return objectVersion === nullVersion ? nullVersionId : objectVersion.toString(16).padStart(16, '0')
}

/** @returns undefined for what no version was ever called */
export function versionNumberOf(versionId: string): number | undefined {
  if (versionId === nullVersionId) return nullVersion
  if (!/^[0-9a-f]{16}$/.test(versionId)) return undefined
  const objectVersion = Number.parseInt(versionId, 16)
  return Number.isSafeInteger(objectVersion) && objectVersion > 0 ? objectVersion : undefined
}
