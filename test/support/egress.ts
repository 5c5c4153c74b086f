import { createEgress, type Egress, NO_LISTENER } from '../../src/base/net/egress.ts'

/** The rule without a list and without a control listener, for tests that are about something else. */
export const EGRESS: Egress = createEgress(NO_LISTENER)
