import { BRIDGE_SCENARIOS } from './bridge-scenarios.ts';
import { testScenarios } from './scenario-tests.ts';

testScenarios(BRIDGE_SCENARIOS);
