import { definePlugin, type Plugin } from '@sterna/core';
import { patientPolicy } from './patient-policy.ts';

export { decide, type PatientSettings } from './decide.ts';
export { patientPolicy };

const plugin: Plugin = definePlugin({ name: 'migration-policy', devices: [patientPolicy] });
export default plugin;
