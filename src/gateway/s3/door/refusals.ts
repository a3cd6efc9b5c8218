/**
 * Why requests were refused: the last ones of this gateway, in memory, for `ashlar s3 explain-deny`. Nothing of it is told to
 * whoever was refused but the id of the request.
 * @module
 */

import type { Change } from '../../../base/notification-rule.ts'
import type { Authenticated } from '../auth/authenticate.ts'
import type { OperationName } from '../request/operations.ts'
import type { AccessDecision } from '../rules/access/authorize.ts'
import { explainDecision } from '../rules/access/explain.ts'
import type { Bucket } from '../store/buckets.ts'

export interface Refusal {
  readonly requestId: string
  /** Since 1970. */
  readonly atMs: number
  readonly method: string
  /** `/bucket/key` */
  readonly resource: string
  readonly operation: string | undefined
  /** Undefined: nobody proved to be somebody. */
  readonly userName: string | undefined
  readonly accessKeyId: string | undefined
  /** Of the answer. */
  readonly code: string
  readonly message: string
  /** A sentence for each question that was answered with no. Empty: it was refused before any rule was asked. */
  readonly reasons: readonly string[]
}

/** Of one request; those of a multi-delete may be many. */
const reasonsKept = 16

/** What was found out on the way of one request. */
export class RequestTrail {
  caller: Authenticated | undefined
  bucket: Bucket | undefined
  sourceIp = ''
  key: string | undefined
  operation: OperationName | undefined
  /** Beyond what the address names: keys of a body, or of a form. */
  readonly changes: Change[] = []
  /** Something of it was refused, though the answer as a whole may be none. */
  isRefused = false
  /** A statement forbids it, as opposed to none allowing it. */
  isForbidden = false
  readonly #reasons: string[] = []

  note({
    decision,
    ...asked
  }: {
    readonly action: string
    readonly resource: string
    readonly decision: AccessDecision
  }): void {
    if (decision.reason === 'user-policy' || decision.reason === 'bucket-policy') this.isForbidden = true
    if (this.#reasons.length < reasonsKept) this.#reasons.push(explainDecision(decision, asked))
  }

  facts(): Pick<Refusal, 'operation' | 'userName' | 'accessKeyId' | 'reasons'> {
    const { operation, caller } = this
    return {
      ...{ operation, reasons: this.#reasons },
      userName: caller?.account?.userName,
      accessKeyId: caller?.accessKeyId,
    }
  }
}

export class Refusals {
  readonly #kept = new Map<string, Refusal>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  note(refusal: Refusal): void {
    if (this.#kept.size >= this.#most) this.#kept.delete(this.#kept.keys().next().value as string)
    this.#kept.set(refusal.requestId, refusal)
  }

  find(requestId: string): Refusal | undefined {
    return this.#kept.get(requestId)
  }
}
