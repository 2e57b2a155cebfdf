import { CHANGE_SCENARIOS } from './change-scenarios.ts';
import { testScenarios } from './scenario-tests.ts';

testScenarios(CHANGE_SCENARIOS);
