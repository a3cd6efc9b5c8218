/** What `ashlar explain` says to people. @module */
import { formatCount, formatSize } from '../../base/sizes.ts'
import type { GroupExplanation, IfLostReport, RefusalRecord, ServerExplanation } from '../../client/index.ts'

const passedOverShown = 10

export function describeGroup(explanation: GroupExplanation): readonly string[] {
  const { group, policy, replicas, chunks, bytes, members, ifLost } = explanation
  return [
    `group ${group}: ${formatCount(chunks, 'chunk')}, ${formatSize(bytes)}; ${policy} wants ${formatCount(replicas, 'server')}${replicas === 1 ? '' : ' in distinct failure domains'}`,
    ...members.map((member) => {
      const role =
        member.state === 'in' ? 'a member' : `${member.state}${member.duty === undefined ? '' : ` for ${member.duty}`}`
      const proof = member.proven ? 'seen to hold everything' : 'not yet seen to hold everything'
      return `  ${short(member.server)} (${member.domain}) is ${role}, ${member.serverState}; ${proof}`
    }),
    ...passedOver(explanation),
    ...ifLost.flatMap((lost) => describeLoss(lost, { replicas, isGone: isGone(members, lost) })),
  ]
}

export function describeServer({
  server,
  domain,
  state,
  why,
  ifLost,
  ...counts
}: ServerExplanation): readonly string[] {
  const { groupsIn, groupsFilling, groupsLeaving, formerGroups, unprovenGroups } = counts
  return [
    `${short(server)} (${domain}) is ${state}: ${why}`,
    `  a member of ${formatCount(groupsIn, 'group')}, filling in ${groupsFilling}, leaving ${groupsLeaving}; ${unprovenGroups} not yet seen to be complete`,
    ...(formerGroups > 0 ? [`  it still holds copies of ${formatCount(formerGroups, 'group')} that it has left`] : []),
    ...describeLoss(ifLost, { isGone: state === 'dead' || state === 'left' }),
  ]
}

export function describeRefusal(refusal: RefusalRecord): readonly string[] {
  const { id, atMs, code, what, path, policy, chunkBytes, repeated } = refusal
  return [
    `${id}: ${code} at ${new Date(atMs).toISOString()}${repeated > 0 ? `, and ${formatCount(repeated, 'time')} since` : ''}`,
    `  ${path} wanted room for ${formatSize(chunkBytes)} under ${policy}`,
    `  ${what}`,
    ...passedOver(refusal),
  ]
}

function passedOver({
  passedOver: servers,
  passedOverCount,
}: Pick<GroupExplanation, 'passedOver' | 'passedOverCount'>): readonly string[] {
  const lines = servers
    .slice(0, passedOverShown)
    .map(({ server, domain, reason }) => `  passed over: ${short(server)} (${domain}): ${reason}`)
  const others = passedOverCount - lines.length
  return others > 0 ? [...lines, `  … and ${others} more`] : lines
}

function isGone(members: GroupExplanation['members'], { server }: IfLostReport): boolean {
  return members.some((member) => member.server === server && member.serverState === 'dead')
}

/** @param options `replicas`: of one group; absent: of all groups of the server */
function describeLoss(
  lost: IfLostReport,
  { replicas, isGone }: { readonly replicas?: number; readonly isGone: boolean },
): readonly string[] {
  const { server, groups, chunks, bytes, lostChunks, lastCopyChunks, writableGroups, target, begun, waiting, why } =
    lost
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
