/**
 * What every engine of the configuration store must do, as {@link ConfigStore} promises it. An engine runs it with one call, and has
 * tests of its own for what its files or servers do.
 */
import type { MakePlace } from './place.ts'
import { auditSuite } from './suite/audit.ts'
import { connectionsSuite } from './suite/connections.ts'
import { jobsSuite } from './suite/jobs.ts'
import { keptSuite } from './suite/kept.ts'
import { lanesSuite } from './suite/lanes.ts'
import { oauthSuite } from './suite/oauth.ts'
import { requestsSuite } from './suite/requests.ts'
import { resourcesSuite } from './suite/resources.ts'
import { revisionsSuite } from './suite/revisions.ts'
import { transactionsSuite } from './suite/transactions.ts'

/** Declares the tests for an engine. @param name stands before the name of each test */
export function configStoreSuite(name: string, place: MakePlace): void {
  transactionsSuite(name, place)
  lanesSuite(name, place)
  jobsSuite(name, place)
  resourcesSuite(name, place)
  keptSuite(name, place)
  connectionsSuite(name, place)
  oauthSuite(name, place)
  requestsSuite(name, place)
  revisionsSuite(name, place)
  auditSuite(name, place)
}
