/**
 * Runs the operations of a script through the public client, and notes each call and its answer in a history. An
 * operation that needs to know something first (a version, a length) asks for it, as a call of its own.
 * @module
 */
import type { AshlarClient, DirectoryEntry } from '../client/index.ts'
import { bytesOf, digestOfBytes } from './contents.ts'
import { type History, NoAnswer } from './history.ts'
import type { Action, Operation } from './operations.ts'
import type { Answer, Outcome, Step } from './steps.ts'

/** Where clients come from, and time. */
export interface Clients {
  /** Undefined while its machine is dead. */
  client(index: number): AshlarClient | undefined
  nowMs(): number
  after(delayMs: number, callback: () => void): void
}

/** Pages of one list: more than any simulated directory has. */
const mostPages = 64

/** Where an operation is. */
export interface OperationEnd {
  readonly operation: Operation
  /** Of whom it was asked; undefined: not begun, or its machine was dead. */
  readonly client: AshlarClient | undefined
  readonly isEnded: boolean
  /** What should never be: a failure of the operation as a whole. */
  readonly failure: unknown
}

/**
 * Begins every operation at its time, counted from now.
 * @returns where each is: it goes on changing while they run
 */
export function runWorkload(
  operations: readonly Operation[],
  clients: Clients,
  history: History,
): readonly OperationEnd[] {
  return operations.map((operation) => {
    const end = {
      operation,
      client: undefined as AshlarClient | undefined,
      isEnded: false,
      failure: undefined as unknown,
    }
    clients.after(operation.atMs, () => {
      const client = clients.client(operation.client)
      end.client = client
      if (client === undefined) {
        end.isEnded = true
        return
      }
      new OperationRun(client, operation, history).run().then(
        () => {
          end.isEnded = true
        },
        (error: unknown) => {
          end.failure = error
          end.isEnded = true
        },
      )
    })
    return end
  })
}

/** One operation under way. */
export class OperationRun {
  readonly #client: AshlarClient
  readonly #operation: { readonly id: number; readonly client: number } & Action
  readonly #history: History

  constructor(
    client: AshlarClient,
    operation: { readonly id: number; readonly client: number } & Action,
    history: History,
  ) {
    this.#client = client
    this.#operation = operation
    this.#history = history
  }

  async run(): Promise<void> {
    const client = this.#client
    const action: Action = this.#operation
    switch (action.kind) {
      case 'write':
        return this.#write(action)
      case 'append':
        return this.#append(action)
      case 'read':
        await this.#call(
          action,
          () => readWhole(client, action.path),
          (answer) => answer,
        )
        return
      case 'stat':
        await this.#look(action.path)
        return
      case 'list':
        return this.#list(action)
      case 'make-directory': {
        const { path, recursive } = action
        await this.#call(
          action,
          () => client.mkdir(path, { recursive }),
          (made) => ({ made: made !== undefined }),
        )
        return
      }
      case 'rename': {
        const { from, to, replace } = action
        await this.#call(action, () => client.rename(from, to, { replace }), statsAnswer)
        return
      }
      case 'remove': {
        const { path, recursive } = action
        await this.#call(
          action,
          () => client.rm(path, { recursive }),
          (issued) => ({ issued }),
        )
        return
      }
      case 'copy':
        await this.#call(action, () => client.copyFile(action.from, action.to), statsAnswer)
        return
      case 'truncate':
        await this.#call(action, () => client.truncate(action.path, action.length), statsAnswer)
        return
      case 'concat':
        await this.#call(action, () => client.concat(action.path, action.sources), statsAnswer)
        return
      case 'undelete':
        await this.#call(
          action,
          () => client.undelete(action.path),
          ({ stats }) => statsAnswer(stats),
        )
        return
      case 'empty-trash':
        await this.#call(
          action,
          () => client.emptyTrash(action.path),
          ({ entries }) => ({ entries }),
        )
        return
      case 'list-trash':
        await this.#call(
          action,
          () => listTrash(client, action.path),
          (trash) => ({ trash }),
        )
        return
    }
  }

  async #write({ path, content, condition }: Extract<Action, { kind: 'write' }>): Promise<void> {
    const bytes = bytesOf(content)
    const step = { kind: 'write', path, content } as const
    if (condition === undefined || condition === 'absent') {
      const when = condition === undefined ? {} : { ifAbsent: true }
      await this.#call({ ...step, ...when }, () => this.#client.writeFile(path, bytes, when), statsAnswer)
      return
    }
    const seen = await this.#look(path)
    if (seen?.kind !== 'file') return
    const ifVersion = (seen.version as number) - (condition === 'stale' ? 1 : 0)
    await this.#call({ ...step, ifVersion }, () => this.#client.writeFile(path, bytes, { ifVersion }), statsAnswer)
  }

  async #append({ path, content, condition }: Extract<Action, { kind: 'append' }>): Promise<void> {
    const bytes = bytesOf(content)
    const step = { kind: 'append', path, content } as const
    if (condition === undefined) {
      await this.#call(step, () => this.#client.appendFile(path, bytes), statsAnswer)
      return
    }
    const seen = await this.#look(path)
    if (seen?.kind !== 'file') return
    const expectedLength = (seen.size as number) + (condition === 'stale' ? 1 : 0)
    const when = { expectedLength }
    await this.#call({ ...step, ...when }, () => this.#client.appendFile(path, bytes, when), statsAnswer)
  }

  /**
   * Page by page, each a call: only a page is one moment. The client's own paging is what is used; whether there is
   * another page it knows from the last one, so an end without entries is no answer of its own.
   */
  async #list({ path, pageEntries }: Extract<Action, { kind: 'list' }>): Promise<void> {
    const entries = this.#client.list(path, { pageEntries })
    let after = ''
    for (let page = 0; page < mostPages; page++) {
      const step = { kind: 'list-page', path, after, limit: pageEntries } as const
      const { result } = await this.#call(
        step,
        () => takePage(entries, { page, pageEntries }),
        (names) => ({ names }),
      )
      if (result === undefined || result.length < pageEntries) return
      after = result.at(-1) as string
    }
  }

  async #look(path: string): Promise<Answer | undefined> {
    const { outcome } = await this.#call({ kind: 'stat', path }, () => this.#client.stat(path), statsAnswer)
    return outcome.kind === 'ok' ? outcome.answer : undefined
  }

  #call<T>(
    step: Step,
    call: () => Promise<T>,
    said: (result: T) => Answer,
  ): Promise<{ readonly outcome: Outcome; readonly result?: T }> {
    return this.#history.record({ operation: this.#operation.id, client: this.#operation.client, step }, call, said)
  }
}

function statsAnswer(stats: { isDirectory(): boolean; readonly size: number; readonly version: number }): Answer {
  return stats.isDirectory() ? { kind: 'directory' } : { kind: 'file', size: stats.size, version: stats.version }
}

/** One version, whole. */
async function readWhole(client: AshlarClient, path: string): Promise<Answer> {
  await using handle = await client.open(path)
  const { size, version } = handle.stats
  return { size, version, digest: digestOfBytes(await handle.readFile()) }
}

async function takePage(
  entries: AsyncIterator<DirectoryEntry>,
  { page, pageEntries }: { readonly page: number; readonly pageEntries: number },
): Promise<readonly string[]> {
  const names: string[] = []
  while (names.length < pageEntries) {
    const next = await entries.next()
    if (next.done === true) break
    names.push(next.value.isDirectory() ? `${next.value.name}/` : next.value.name)
  }
  if (page > 0 && names.length === 0) throw new NoAnswer()
  return names
}

async function listTrash(client: AshlarClient, path: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { path: at, stats } of client.listTrash(path)) found.push(`${at} ${stats.size}`)
  return found.sort()
}
