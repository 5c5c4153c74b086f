import { listOf } from '../crud.ts'
import { profileKind } from './kind.ts'

export const listProfiles = listOf(profileKind)
