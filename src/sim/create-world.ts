/** @module */
import { SimWorld } from './sim-world.ts'
import type { World, WorldOptions } from './world.ts'

/**
 * Boots a cluster; resolves when every server is registered and every client connected.
 * @throws {AshlarError} `timeout` — it did not come up within a virtual minute
 */
export async function createWorld(options: WorldOptions): Promise<World> {
  const world = new SimWorld(options)
  await world.boot()
  return world
}
