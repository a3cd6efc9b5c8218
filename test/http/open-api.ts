/**
 * An OpenAPI page, and a door that is held to it: each answer must be one that the page describes, and what the page
 * describes and nobody has asked for is told at the end.
 * @module
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** A node of the page that is an object; what is none is converted where it is used. */
interface Json {
  readonly [name: string]: Json | undefined
}

interface Described {
  readonly parameters: readonly string[]
  /** By status: header names and media types. */
  readonly responses: ReadonlyMap<string, { readonly headers: readonly string[]; readonly body: Json | undefined }>
}

export class OpenApi {
  readonly #page: Json
  readonly #operations = new Map<string, Described>()
  readonly #seen = new Set<string>()

  constructor(path: string) {
    this.#page = parse(readFileSync(path, 'utf8'))
    for (const [url, item] of entriesOf(this.#page['paths'])) {
      for (const [method, operation] of entriesOf(item)) {
        if (method === 'parameters') continue
        this.#operations.set(`${method.toUpperCase()} ${url}`, this.#describe(operation))
      }
    }
  }

  /** Holds one answer to the page, and notes what of the page it showed. */
  check(
    operation: string,
    asked: { readonly headers: readonly string[]; readonly query: string },
    answer: Response,
  ): void {
    const described = this.#operations.get(operation)
    assert.ok(described !== undefined, `${operation} is not described`)
    const response = described.responses.get(String(answer.status))
    assert.ok(response !== undefined, `${operation} answered ${answer.status}, which is not described`)
    this.#seen.add(`${operation} ${answer.status}`)
    const parameters = [...asked.headers, ...new URLSearchParams(asked.query).keys()].map((name) => name.toLowerCase())
    for (const name of described.parameters) {
      if (parameters.includes(name.toLowerCase())) this.#seen.add(`${operation} parameter ${name}`)
    }
    for (const name of response.headers) {
      if (answer.headers.has(name)) this.#seen.add(`${operation} ${answer.status} header ${name}`)
    }
    const extra = [...answer.headers.keys()].filter(
      (name) => !everywhere.has(name) && !response.headers.some((header) => header.toLowerCase() === name),
    )
    assert.deepEqual(extra, [], `${operation} ${answer.status} has headers that are not described`)
  }

  /** Holds a JSON body to the schema of its answer, as far as `required`, `properties`, `items`, `type` and `enum` go. */
  checkBody(operation: string, status: number, value: unknown): void {
    const schema = this.#operations.get(operation)?.responses.get(String(status))?.body
    assert.ok(schema !== undefined, `${operation} ${status} has no JSON body`)
    this.#match(schema, value, `${operation} ${status}`)
  }

  /** What the page describes and no answer has shown. */
  unseen(): string[] {
    const all: string[] = []
    for (const [operation, { parameters, responses }] of this.#operations) {
      for (const name of parameters) all.push(`${operation} parameter ${name}`)
      for (const [status, { headers }] of responses) {
        all.push(`${operation} ${status}`, ...headers.map((name) => `${operation} ${status} header ${name}`))
      }
    }
    return all.filter((name) => !this.#seen.has(name))
  }

  #describe(operation: Json): Described {
    const parameters = ((operation['parameters'] ?? []) as unknown as Json[]).map((parameter) => {
      return String(this.#resolve(parameter)['name'])
    })
    const responses = entriesOf(operation['responses']).map(([status, reference]) => {
      const { headers, content } = this.#resolve(reference)
      const body = content?.['application/json']?.['schema']
      return [status, { headers: Object.keys(headers ?? {}), body }] as const
    })
    return { parameters, responses: new Map(responses) }
  }

  #resolve(value: Json): Json {
    const reference = value['$ref'] as unknown as string | undefined
    if (reference === undefined) return value
    const target = reference.replace(/^#\//, '').split('/')
    const found = target.reduce<Json | undefined>((at, name) => at?.[name], this.#page)
    assert.ok(found !== undefined, `${reference} points nowhere`)
    return found
  }

  #match(reference: Json, value: unknown, where: string): void {
    const schema = this.#resolve(reference)
    const type = schema['type'] as unknown as string | undefined
    const kind = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value
    if (type !== undefined) assert.equal(kind, type, where)
    const choices = schema['enum'] as unknown as readonly unknown[] | undefined
    if (choices !== undefined) assert.ok(choices.includes(value), `${where}: ${String(value)}`)
    if (schema['items'] !== undefined) {
      for (const item of value as unknown[]) this.#match(schema['items'], item, `${where} item`)
    }
    const object = value as Record<string, unknown>
    for (const name of (schema['required'] ?? []) as unknown as string[])
      assert.ok(name in object, `${where}: no ${name}`)
    for (const [name, property] of entriesOf(schema['properties'])) {
      if (object[name] !== undefined) this.#match(property, object[name], `${where}.${name}`)
    }
  }
}

function entriesOf(node: Json | undefined): [string, Json][] {
  return Object.entries(node ?? {}).filter((entry): entry is [string, Json] => entry[1] !== undefined)
}

/** Of HTTP itself. */
const everywhere = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
  'x-content-type-options',
  'x-request-id',
])
