import { createOf } from '../crud.ts'
import { credentialKind } from './kind.ts'

export const createCredential = createOf(credentialKind)
