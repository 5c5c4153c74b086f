import { deleteOf } from '../delete-resource.ts'
import { profileKind } from './kind.ts'

export const deleteProfile = deleteOf(profileKind)
