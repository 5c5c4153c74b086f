/** Commands on a data directory, bound to its engine as the program binds them. */
import { issueOffline as issue } from '../../src/control/offline.ts'
import { lookAtValkey, PLACES } from '../../src/serve/places.ts'
import type { CliPorts } from '../../src/surfaces/cli/ports.ts'
import { backUp as back } from '../../src/upkeep/backup/backup.ts'
import { restore as put } from '../../src/upkeep/backup/restore.ts'
import { examine as look } from '../../src/upkeep/doctor/doctor.ts'

export const backUp: CliPorts['backUp'] = (request) => back(PLACES, request)
export const restore: CliPorts['restore'] = (request) => put(PLACES, request)
export const examine: CliPorts['examine'] = (request) => look(PLACES, lookAtValkey, request)
export const issueOffline = (data: string, input: unknown) => issue(PLACES, data, input)
