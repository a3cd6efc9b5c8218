/** What `ashlar explain` says to people. @module */
import { formatCount, formatSize } from '../../base/sizes.ts'
import type {
  GroupExplanation,
  IfLostReport,
  NodeStatus,
  RefusalRecord,
  ServerExplanation,
} from '../../client/index.ts'

const passedOverShown = 10

export function describeGroup(explanation: GroupExplanation): readonly string[] {
  const { group, policy, replicas, chunks, bytes, members, ifLost } = explanation
  return [
    `group ${group}: ${formatCount(chunks, 'chunk')}, ${formatSize(bytes)}; ${policy} wants ${formatCount(replicas, 'server')}${replicas === 1 ? '' : ' in distinct failure domains'}`,
    ...members.map((member) => {
      const role =
        member.state === 'in' ? 'a member' : `${member.state}${member.duty === undefined ? '' : ` for ${member.duty}`}`
      const proof = member.proven ? 'seen to hold everything' : 'not yet seen to hold everything'
      return `  ${short(member.server)} (${member.domain}) is ${role}, ${stateText(member.serverState, member.silence)}; ${proof}`
    }),
    ...passedOver(explanation),
    ...ifLost.flatMap((lost) => describeLoss(lost, replicas)),
  ]
}

export function describeServer({
  server,
  domain,
  state,
  silence,
  why,
  ifLost,
  ...counts
}: ServerExplanation): readonly string[] {
  const { groupsIn, groupsFilling, groupsLeaving, formerGroups, unprovenGroups } = counts
  return [
    `${short(server)} (${domain}) is ${stateText(state, silence)}: ${why}`,
    `  a member of ${formatCount(groupsIn, 'group')}, filling in ${groupsFilling}, leaving ${groupsLeaving}; ${unprovenGroups} not yet seen to be complete`,
    ...(formerGroups > 0 ? [`  it still holds copies of ${formatCount(formerGroups, 'group')} that it has left`] : []),
    ...describeLoss(ifLost),
  ]
}

export function describeRefusal(refusal: RefusalRecord): readonly string[] {
  const { id, atMs, code, what, path, policy, chunkBytes, repeated } = refusal
  return [
    `${id}: ${code} at ${new Date(atMs).toISOString()}${repeated > 0 ? `, and ${formatCount(repeated, 'time')} since` : ''}`,
    `  ${path} wanted room for ${formatSize(chunkBytes)} under ${policy}`,
    `  ${what}`,
    ...passedOver(refusal, refusal.passedOver.length),
  ]
}

function passedOver(
  { passedOver: servers, passedOverCount }: Pick<GroupExplanation, 'passedOver' | 'passedOverCount'>,
  most = passedOverShown,
): readonly string[] {
  const lines = servers
    .slice(0, most)
    .map(({ server, domain, reason }) => `  passed over: ${short(server)} (${domain}): ${reason}`)
  const others = passedOverCount - lines.length
  return others > 0 ? [...lines, `  … and ${others} more`] : lines
}

/** As `nodes` tells it: of a server in maintenance also that it does not answer. */
function stateText(state: NodeStatus['state'], silence: NodeStatus['silence']): string {
  if (state !== 'maintenance') return state
  return silence === undefined ? 'in maintenance' : `in maintenance, and ${silence}`
}

/** @param replicas of one group; absent: of all groups of the server */
function describeLoss(lost: IfLostReport, replicas?: number): readonly string[] {
  const {
    isGone = false,
    server,
    groups,
    chunks,
    bytes,
    lostChunks,
    lastCopyChunks,
    writableGroups,
    target,
    begun,
    waiting,
    why,
  } = lost
  const ofChunks = formatCount(chunks, 'chunk')
  const of = replicas === undefined ? `${formatCount(groups, 'group')}, ${ofChunks} (${formatSize(bytes)})` : ofChunks
  const reads =
    lostChunks > 0
      ? `${formatCount(lostChunks, 'chunk')} could NOT be read until it returns`
      : lastCopyChunks > 0
        ? `all could be read, ${lastCopyChunks} from their last copy`
        : 'all could be read'
  const writes =
    groups === 0 || writableGroups === groups
      ? 'writes go on'
      : `writes to ${formatCount(groups - writableGroups, 'group')} go elsewhere`
  const first = target === undefined ? '' : `, first on ${short(target)}`
  const repair =
    waiting > 0
      ? `repair of ${formatCount(waiting, 'group')} ${isGone ? 'waits' : 'would wait'}: ${why ?? 'see "ashlar plan repair"'}`
      : `repair ${isGone ? 'begins' : 'would begin'}${first}`
  const name = `${short(server)} (${lost.domain})`
  return [
    `  ${isGone ? `without ${name}` : `if ${name} died now`}: ${of} ${replicas !== undefined && chunks === 1 ? 'loses' : 'lose'} a replica; ${reads}; ${writes}; ${begun + waiting === 0 ? 'nothing to repair' : repair}`,
  ]
}

function short(server: string): string {
  return server.slice(0, 8)
}
